//! A tree, for what is addressed to the server itself.

use std::fmt;
use std::mem;

use super::chars::is_nc_name;
use super::escape::{attribute_value, escape_attribute, escape_text, push_text};
use super::namespaces::{Namespace, Namespaces};
use super::walk::{Sink, Tag, Walker};
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
        let mut builder = Builder::default();
        Walker::new(limits).walk(text, &mut builder)?;
        builder.root.ok_or(XmlFault::Empty)
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

/// Writing.
impl Element {
    /// Appends the element to `out`, for a place where `inherited` is the default namespace: an
    /// element in it is written without `xmlns`. For a document of its own, `inherited` is `""`.
    pub fn write_to(&self, out: &mut String, inherited: &str) {
        let mut open = Vec::new();
        let mut next = Some((self, inherited));
        loop {
            if let Some((element, inherited)) = next.take() {
                element.write_start(out, inherited);
                if !element.nodes.is_empty() {
                    open.push((
                        element,
                        element.default_namespace(inherited),
                        element.nodes.iter(),
                    ));
                }
            }
            let Some((element, default, nodes)) = open.last_mut() else {
                break;
            };
            match nodes.next() {
                Some(Node::Text(text)) => out.push_str(&escape_text(text)),
                Some(Node::Element(child)) => next = Some((child, *default)),
                None => {
                    out.push_str("</");
                    element.write_name(out);
                    out.push('>');
                    open.pop();
                }
            }
        }
    }

    /// The default namespace inside, given the one outside.
    fn default_namespace<'a>(&'a self, inherited: &'a str) -> &'a str {
        if self.prefix.is_empty() {
            &self.namespace
        } else {
            inherited
        }
    }

    fn write_name(&self, out: &mut String) {
        if !self.prefix.is_empty() {
            push_all(out, &[self.prefix, ":"]);
        }
        out.push_str(&self.name);
    }

    /// Writes the start tag, or the one tag of an element that holds nothing.
    fn write_start(&self, out: &mut String, inherited: &str) {
        out.push('<');
        self.write_name(out);
        if !self.prefix.is_empty() {
            push_attribute(out, &format!("xmlns:{}", self.prefix), &self.namespace);
        } else if self.namespace != inherited {
            push_attribute(out, "xmlns", &self.namespace);
        }
        for (i, attribute) in self.attributes.iter().enumerate() {
            if attribute.namespace.is_empty() {
                push_attribute(out, &attribute.name, &attribute.value);
            } else {
                // A prefix of its own for each: rare enough.
                push_attribute(out, &format!("xmlns:n{i}"), &attribute.namespace);
                push_attribute(out, &format!("n{i}:{}", attribute.name), &attribute.value);
            }
        }
        out.push_str(if self.nodes.is_empty() { "/>" } else { ">" });
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

/// Writes a document of its own.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out, "");
        f.write_str(&out)
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

fn push_attribute(out: &mut String, name: &str, value: &str) {
    push_all(out, &[" ", name, "='", &escape_attribute(value), "'"]);
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

/// Builds the tree while the walk goes on.
#[derive(Default)]
struct Builder {
    /// Elements whose end tag is still to come, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
}

impl Sink for Builder {
    fn start(&mut self, tag: Tag<'_>, _: &mut Namespaces) {
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
                .map(|attribute| ElementAttribute {
                    name: match attribute.namespace {
                        Namespace::Xml => attribute.qname.span.of(text).to_owned(),
                        _ => attribute.qname.local(text).to_owned(),
                    },
                    namespace: match attribute.namespace {
                        Namespace::Xml => String::new(),
                        other => other.name(text).into_owned(),
                    },
                    value: attribute_value(attribute.value.of(text)).into_owned(),
                })
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
