//! From a walk to a tree.

use super::super::escape::{attribute_value, push_text};
use super::super::namespaces::{Namespace, Namespaces};
use super::super::walk::{Attribute, Sink, Tag};
use super::{Element, ElementAttribute, Node};

/// Builds the tree while the walk goes on.
#[derive(Default)]
pub(super) struct Builder {
    /// Elements whose end tag is still to come, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
}

impl Builder {
    /// The tree, once the walk is over.
    pub fn into_root(self) -> Option<Element> {
        self.root
    }
}

impl Sink for Builder {
    fn start(&mut self, tag: Tag<'_>, namespaces: &mut Namespaces) {
        let text = tag.text;
        let attributes = tag
            .attributes
            .iter()
            .filter(|a| !a.is_namespace_declaration());
        self.open.push(Element {
            prefix: "",
            name: tag.qname.local(text).to_owned(),
            namespace: tag.namespace.name(text).into_owned(),
            attributes: attributes
                .map(|attribute| element_attribute(attribute, text, namespaces))
                .collect(),
            nodes: Vec::new(),
        });
    }

    fn text(&mut self, text: &str) {
        let Some(element) = self.open.last_mut() else {
            return;
        };
        match element.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(last)) => push_text(last, text),
            _ => {
                let mut first = String::with_capacity(text.len());
                push_text(&mut first, text);
                element.nodes.push(Node::Text(first));
            }
        }
    }

    fn character(&mut self, c: char) {
        if let Some(element) = self.open.last_mut() {
            element.push_text(c.encode_utf8(&mut [0; 4]));
        }
    }

    fn end(&mut self, _: u16, _: usize, _: usize, _: &mut Namespaces) {
        let Some(element) = self.open.pop() else {
            return;
        };
        match self.open.last_mut() {
            Some(parent) => parent.push(element),
            None => self.root = Some(element),
        }
    }
}

fn element_attribute(
    attribute: &Attribute,
    text: &str,
    namespaces: &Namespaces,
) -> ElementAttribute {
    let (name, namespace) = match namespaces.of_id(attribute.id) {
        Namespace::Xml => (attribute.qname.span, String::new()),
        other => (attribute.qname.local_span(), other.name(text).into_owned()),
    };
    ElementAttribute {
        name: name.of(text).to_owned(),
        namespace,
        value: attribute_value(attribute.value.of(text)).into_owned(),
    }
}
