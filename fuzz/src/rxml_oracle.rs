//! rxml, another reader of restricted XML, as the second opinion about a document.
//!
//! rxml and stanzad must agree about what is XML and what it means. What may differ, and is left
//! out of the comparison by [`differs_by_statement`]:
//!
//! - limits on depth, attributes, namespaces and elements are stanzad's own;
//! - rxml takes white space before the first `<`, a reference or a section after the root, the same
//!   declaration of a namespace twice, and a declaration of the namespace of `xmlns`;
//! - rxml refuses U+FDF0 to U+FFFD in names, an XML declaration with `standalone` or with
//!   white space where XML 1.0 allows it, and a reference of more than eight characters, however
//!   many zeros are among them.
//!
//! Processing instructions, comments, document types and entities are refused by both. rxml
//! stumbles over some CR, so it gets the text with its line ends made LF, which is how a reader is
//! to behave (XML 1.0 §2.11).

use rxml::{Event, Options, Parse, Parser, WithOptions};
use stanzad::xml::{
    Element, ElementAttribute, FaultKind, Node, XML_NAMESPACE, XMLNS_NAMESPACE, XmlFault,
};

/// What rxml makes of a document; `None` if it refuses it.
pub fn read(text: &str) -> Option<Element> {
    let options = Options {
        max_token_length: 1 << 20,
        ..Options::default()
    };
    let mut parser = Parser::with_options(options);
    let mut tree = Tree::default();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut bytes = text.as_bytes();
    parser
        .parse_all(&mut bytes, true, |event| tree.take(event))
        .ok()?;
    tree.root
}

/// A tree that grows with the events.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
}

impl Tree {
    fn take(&mut self, event: Event) {
        match event {
            Event::XmlDeclaration(..) => {}
            Event::StartElement(_, (namespace, name), attributes) => {
                let mut element = Element::new(name.to_string(), namespace.to_string());
                for ((namespace, name), value) in attributes.iter() {
                    set(&mut element, namespace.as_str(), name, value);
                }
                self.open.push(element);
            }
            Event::Text(_, text) => {
                if let Some(element) = self.open.last_mut() {
                    element.push_text(&text);
                }
            }
            Event::EndElement(_) => {
                let element = self.open.pop().expect("rxml checks that tags match");
                match self.open.last_mut() {
                    Some(parent) => parent.push(element),
                    None => self.root = Some(element),
                }
            }
        }
    }
}

fn set(element: &mut Element, namespace: &str, name: &str, value: &str) {
    match namespace {
        "" => element.set_attr(name, value),
        XML_NAMESPACE => element.set_attr(format!("xml:{name}"), value),
        _ => element.push_attr_in(name, namespace, value),
    }
}

/// Whether the two may disagree about this text, by the list above.
pub fn differs_by_statement(text: &str, fault: Option<XmlFault>) -> bool {
    let begins_at = |at: u32, what: &str| text[at as usize..].starts_with(what);
    let is_ours = fault.is_some_and(|fault| match fault {
        XmlFault::DuplicateAttribute { at } => begins_at(at, "xmlns"),
        XmlFault::AfterRoot { at } => begins_at(at, "&") || begins_at(at, "<![CDATA["),
        XmlFault::ReservedBinding { .. } => text.contains(XMLNS_NAMESPACE),
        fault => fault.kind() == FaultKind::PolicyViolation,
    });
    is_ours
        || !text.starts_with('<')
        || text.contains("<?xml ")
        || text.contains(|c| matches!(c, '\u{FDF0}'..='\u{FFFD}'))
        || text.split("&#").skip(1).any(is_long_reference)
}

/// Whether what follows `&#` is a number of many digits.
fn is_long_reference(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    end.unwrap_or(text.len()) > REFERENCE_MAX
}

/// With the `#` these are the eight characters that rxml reads.
const REFERENCE_MAX: usize = 7;

/// The same element with its attributes in one order: XML gives them none, and rxml sorts them.
pub fn sorted(element: &Element) -> Element {
    let mut attributes = element.attributes().to_vec();
    attributes.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let mut copy = Element::new(element.name(), element.namespace());
    for ElementAttribute {
        name,
        namespace,
        value,
    } in &attributes
    {
        match namespace.as_str() {
            "" => copy.set_attr(name, value),
            _ => copy.push_attr_in(name, namespace, value),
        }
    }
    for node in element.nodes() {
        match node {
            Node::Element(child) => copy.push(sorted(child)),
            Node::Text(text) => copy.push_text(text),
        }
    }
    copy
}
