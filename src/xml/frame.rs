//! A frame that was accepted: where its parts lie.

use std::borrow::Cow;

use super::Span;
use super::attributes::{Attributes, RawAttribute};
use super::escape::escape_attribute;
use super::scanner::{ElementRecord, Scanner};

/// One complete element that a [`Scanner`] accepted, with the text in which it lies.
///
/// Nothing was copied: what can be borrowed from the text is, and the rest is made when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'s, 't> {
    text: &'t str,
    scanner: &'s Scanner,
}

impl<'s, 't> Frame<'s, 't> {
    pub(super) fn new(text: &'t str, scanner: &'s Scanner) -> Self {
        Self { text, scanner }
    }

    /// The whole text, declaration and trailing white space included.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The root element, from its `<` to its last `>`.
    pub fn element(&self) -> &'t str {
        self.root().span.of(self.text)
    }

    /// Where the root element lies in [`text`](Self::text).
    pub fn span(&self) -> Span {
        self.root().span
    }

    /// The prefix of the root's name; `""` if none.
    pub fn prefix(&self) -> &'t str {
        self.root().qname.prefix(self.text)
    }

    /// The root's name without its prefix.
    pub fn name(&self) -> &'t str {
        self.root().qname.local(self.text)
    }

    /// The root's namespace; `""` if none. Borrows unless its declaration holds references.
    pub fn namespace(&self) -> Cow<'t, str> {
        self.root().namespace.name(self.text)
    }

    /// Whether the root has this name in this namespace.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// The value of an attribute without prefix: references resolved, white space normalised.
    ///
    /// Cost: O(number of attributes); they are not read again.
    pub fn attribute(&self, name: &str) -> Option<Cow<'t, str>> {
        value_of(self.attributes(), name)
    }

    /// The root's `xml:lang` (XML 1.0 §2.12); the prefix `xml` cannot mean anything else.
    pub fn xml_lang(&self) -> Option<Cow<'t, str>> {
        value_of(self.attributes(), "xml:lang")
    }

    /// The root's attributes as written, namespace declarations included.
    pub fn attributes(&self) -> impl Iterator<Item = RawAttribute<'t>> + Clone + use<'s, 't> {
        let text = self.text;
        let records = self.scanner.record.attributes.iter();
        records.map(move |record| record.of(text))
    }

    /// What stands between the start tag and the end tag; `""` for an empty element.
    pub fn content(&self) -> &'t str {
        self.root().content.of(self.text)
    }

    /// The offset in [`element`](Self::element) of the byte after the `>` of the start tag.
    pub fn start_tag_end(&self) -> usize {
        let root = self.root();
        Span {
            start: root.span.start,
            end: root.content.start,
        }
        .len()
    }

    /// Whether the root is written with one tag, `<a/>`.
    pub fn is_empty_element(&self) -> bool {
        self.root().is_empty
    }

    /// The elements directly below the root, in order.
    pub fn children(&self) -> impl ExactSizeIterator<Item = Child<'t>> + use<'s, 't> {
        let text = self.text;
        self.scanner
            .record
            .children
            .iter()
            .map(move |record| Child {
                text,
                record: *record,
            })
    }

    /// The first child with this name in this namespace.
    pub fn child(&self, name: &str, namespace: &str) -> Option<Child<'t>> {
        self.children().find(|child| child.is(name, namespace))
    }

    /// Child `i` as written, from its `<` to its last `>`; `""` if there is no such child.
    ///
    /// It may use namespaces that the root declares: see [`child_document`](Self::child_document).
    pub fn child_text(&self, i: usize) -> &'t str {
        self.scanner
            .record
            .children
            .get(i)
            .map_or("", |child| child.span.of(self.text))
    }

    /// Child `i` as a document of its own; `""` if there is no such child.
    ///
    /// The namespaces of the root that names in the child use are declared on the child. (Prefixes
    /// that only the text or a value of an attribute mentions are not seen.) Borrows if nothing has
    /// to be added.
    ///
    /// `rename` is `(from, to)`: if the child is in namespace `from`, the declaration by which it
    /// is there declares `to` instead, for the child and what it holds. So a stanza that a BOSH
    /// client left in the namespace of `<body/>` becomes `jabber:client` (XEP-0206 §2).
    pub fn child_document(&self, i: usize, rename: Option<(&str, &str)>) -> Cow<'t, str> {
        let Some(record) = self.scanner.record.children.get(i) else {
            return Cow::Borrowed("");
        };
        let child = Child {
            text: self.text,
            record: *record,
        };
        let to = rename
            .filter(|(from, _)| child.namespace() == *from)
            .map(|(_, to)| to);
        if record.inherits == 0 && to.is_none() {
            return Cow::Borrowed(child.as_str());
        }
        let mut document = String::with_capacity(record.span.len() + DECLARATION_ROOM_BYTES);
        let name_end = record.qname.span.end;
        document.push_str(
            Span {
                start: record.span.start,
                end: name_end,
            }
            .of(self.text),
        );
        let own = to.and_then(|_| child.own_declaration());
        if let (Some(to), None) = (to, &own) {
            push_declaration(&mut document, child.prefix(), to);
        }
        for binding in self.scanner.walker.namespaces.of_root(record.inherits) {
            if to.is_none() || binding.prefix(self.text) != child.prefix() {
                document.push(' ');
                document.push_str(binding.attribute.of(self.text));
            }
        }
        child.push_rest(&mut document, own.zip(to));
        Cow::Owned(document)
    }

    fn root(&self) -> &'s ElementRecord {
        &self.scanner.record.root
    }
}

/// An element directly below the root.
#[derive(Debug, Clone, Copy)]
pub struct Child<'t> {
    text: &'t str,
    record: ElementRecord,
}

impl<'t> Child<'t> {
    /// The element as written, from its `<` to its last `>`.
    pub fn as_str(&self) -> &'t str {
        self.record.span.of(self.text)
    }

    /// Where the element lies in the text of the frame.
    pub fn span(&self) -> Span {
        self.record.span
    }

    /// The prefix of the name; `""` if none.
    pub fn prefix(&self) -> &'t str {
        self.record.qname.prefix(self.text)
    }

    /// The name without its prefix.
    pub fn name(&self) -> &'t str {
        self.record.qname.local(self.text)
    }

    /// The namespace; `""` if none. Borrows unless its declaration holds references.
    pub fn namespace(&self) -> Cow<'t, str> {
        self.record.namespace.name(self.text)
    }

    /// Whether the element has this name in this namespace.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// The value of an attribute without prefix: references resolved, white space normalised.
    pub fn attribute(&self, name: &str) -> Option<Cow<'t, str>> {
        value_of(self.attributes(), name)
    }

    /// The attributes as written, namespace declarations included.
    pub fn attributes(&self) -> Attributes<'t> {
        Attributes::new(self.text, self.record.inside)
    }

    /// What stands between the start tag and the end tag; `""` for an empty element.
    pub fn content(&self) -> &'t str {
        self.record.content.of(self.text)
    }

    /// The declaration on this element itself by which its name is resolved.
    fn own_declaration(&self) -> Option<RawAttribute<'t>> {
        self.attributes()
            .find(|attribute| attribute.declared_prefix() == Some(self.prefix()))
    }

    /// Writes what follows the name, with another value for one declaration if given.
    fn push_rest(&self, document: &mut String, renamed: Option<(RawAttribute<'t>, &str)>) {
        let (mut start, end) = (self.record.qname.span.end, self.record.span.end);
        if let Some((declaration, to)) = renamed {
            let value = declaration.value_span();
            document.push_str(
                Span {
                    start,
                    end: value.start,
                }
                .of(self.text),
            );
            document.push_str(&escape_attribute(to));
            start = value.end;
        }
        document.push_str(Span { start, end }.of(self.text));
    }
}

fn push_declaration(document: &mut String, prefix: &str, namespace: &str) {
    let colon = if prefix.is_empty() { "" } else { ":" };
    let value = escape_attribute(namespace);
    for part in [" xmlns", colon, prefix, "='", &value, "'"] {
        document.push_str(part);
    }
}

fn value_of<'t>(
    mut attributes: impl Iterator<Item = RawAttribute<'t>>,
    name: &str,
) -> Option<Cow<'t, str>> {
    attributes
        .find(|attribute| attribute.name() == name)
        .map(|attribute| attribute.value())
}

/// Room for the namespace declarations that a child usually needs.
const DECLARATION_ROOM_BYTES: usize = 64;
