//! A tree, for what is addressed to the server itself.

mod read;
mod write;

use std::mem;

use super::chars::is_nc_name;
use super::walk::Walker;
use super::{Limits, XmlFault};

/// An element with all that it holds, by expanded names: prefixes are resolved when read and are
/// not kept.
///
/// Reading, writing and dropping do not recurse. Reading is bounded by [`Limits`]; a tree that is
/// built by hand is as deep as its builder makes it. (`Clone`, `==` and `Debug` do recurse.)
#[derive(Debug, Clone, Eq)]
pub struct Element {
    /// Only for writing; see [`with_prefix`](Self::with_prefix).
    prefix: &'static str,
    name: String,
    namespace: String,
    attributes: Vec<ElementAttribute>,
    nodes: Vec<Node>,
}

/// An attribute of an [`Element`]. Namespace declarations are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementAttribute {
    /// The name without a prefix, except for `xml:…`, which keeps it.
    pub name: String,
    /// The namespace; `""` if the name has no prefix, as is usual, and for `xml:…`.
    pub namespace: String,
    /// The value as meant.
    pub value: String,
}

/// What an [`Element`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text as meant, never empty; two texts never follow each other.
    Text(String),
}

/// Reading.
impl Element {
    /// Reads a document within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// Those of [`Scanner::scan`](super::Scanner::scan), for the same texts.
    pub fn parse(text: &str) -> Result<Self, XmlFault> {
        Self::parse_within(text, Limits::default())
    }

    /// Reads a document within `limits`.
    ///
    /// # Errors
    ///
    /// Those of [`Scanner::scan`](super::Scanner::scan), for the same texts.
    pub fn parse_within(text: &str, limits: Limits) -> Result<Self, XmlFault> {
        let mut builder = read::Builder::default();
        Walker::new(limits).walk(text, &mut builder)?;
        builder.into_root().ok_or(XmlFault::Empty)
    }

    /// The name without a prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace; `""` if none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether the element has this name in this namespace.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name == name && self.namespace == namespace
    }

    /// The value of an attribute without a prefix, or of `xml:lang`.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attr_in(name, "")
    }

    /// The value of an attribute in a namespace.
    pub fn attr_in(&self, name: &str, namespace: &str) -> Option<&str> {
        let same = |a: &&ElementAttribute| a.name == name && a.namespace == namespace;
        self.attributes
            .iter()
            .find(same)
            .map(|attribute| attribute.value.as_str())
    }

    /// All attributes, in the order in which they are written.
    pub fn attributes(&self) -> &[ElementAttribute] {
        &self.attributes
    }

    /// The text directly in the element, that of its children left out.
    pub fn text(&self) -> String {
        let texts = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// All that the element holds, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The elements directly in this one, in order.
    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child with this name in this namespace.
    pub fn child(&self, name: &str, namespace: &str) -> Option<&Element> {
        self.children().find(|child| child.is(name, namespace))
    }
}

/// Building. Names are the caller's own and have to be names; values and texts may be anything.
impl Element {
    /// An empty element.
    pub fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        let (name, namespace) = (name.into(), namespace.into());
        debug_assert!(is_nc_name(&name), "{name:?} is no name of an element");
        Self {
            prefix: "",
            name,
            namespace,
            attributes: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// To be written with a prefix, which is declared in place, instead of as the default namespace.
    ///
    /// Means the same to every reader of XML; some clients look for `stream:features` and
    /// `stream:error` by these very names.
    pub fn with_prefix(mut self, prefix: &'static str) -> Self {
        debug_assert!(is_nc_name(prefix) && !self.namespace.is_empty());
        self.prefix = prefix;
        self
    }

    /// With an attribute; see [`set_attr`](Self::set_attr).
    pub fn with_attr(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_attr(name, value);
        self
    }

    /// With one more child at the end.
    pub fn with_child(mut self, child: Element) -> Self {
        self.push(child);
        self
    }

    /// With more children at the end.
    pub fn with_children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// With more text at the end.
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        self.push_text(text.as_ref());
        self
    }

    /// Sets an attribute without a prefix, or `xml:lang`; replaces its value if it has one.
    pub fn set_attr(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        debug_assert!(
            is_nc_name(name.strip_prefix("xml:").unwrap_or(&name)) && name != "xmlns",
            "{name:?} is no name of an attribute"
        );
        let same = |a: &&mut ElementAttribute| a.name == name && a.namespace.is_empty();
        match self.attributes.iter_mut().find(same) {
            Some(attribute) => attribute.value = value,
            None => {
                let namespace = String::new();
                self.attributes.push(ElementAttribute {
                    name,
                    namespace,
                    value,
                });
            }
        }
    }

    /// Adds an attribute in a namespace, for which a prefix is made up when it is written. It must
    /// not be there yet.
    pub fn push_attr_in(
        &mut self,
        name: impl Into<String>,
        namespace: impl Into<String>,
        value: impl Into<String>,
    ) {
        let (name, namespace, value) = (name.into(), namespace.into(), value.into());
        debug_assert!(is_nc_name(&name) && !namespace.is_empty());
        debug_assert!(self.attr_in(&name, &namespace).is_none());
        self.attributes.push(ElementAttribute {
            name,
            namespace,
            value,
        });
    }

    /// Takes an attribute without a prefix away; returns its value.
    pub fn remove_attr(&mut self, name: &str) -> Option<String> {
        let same = |a: &ElementAttribute| a.name == name && a.namespace.is_empty();
        let i = self.attributes.iter().position(same)?;
        Some(self.attributes.remove(i).value)
    }

    /// Adds a child at the end.
    pub fn push(&mut self, child: Element) {
        self.nodes.push(Node::Element(child));
    }

    /// Adds text at the end.
    pub fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(last)) => last.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }
}

/// The prefix does not count: it means nothing.
impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.namespace == other.namespace
            && self.attributes == other.attributes
            && self.nodes == other.nodes
    }
}

/// Takes the tree apart level by level, so that no depth can exhaust the stack.
impl Drop for Element {
    fn drop(&mut self) {
        let mut pending = mem::take(&mut self.nodes);
        while let Some(node) = pending.pop() {
            if let Node::Element(mut element) = node {
                pending.append(&mut element.nodes);
            }
        }
    }
}
