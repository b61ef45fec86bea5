//! From a tree to text.

use std::fmt;

use super::super::XML_NAMESPACE;
use super::super::escape::{escape_attribute, escape_text};
use super::{Element, Node};

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
        if self.written_prefix().is_empty() {
            &self.namespace
        } else {
            inherited
        }
    }

    /// Nothing but `xml` names its namespace (Namespaces in XML 1.0 §3).
    fn written_prefix(&self) -> &'static str {
        match &*self.namespace {
            XML_NAMESPACE => "xml",
            _ => self.prefix,
        }
    }

    fn write_name(&self, out: &mut String) {
        let prefix = self.written_prefix();
        if !prefix.is_empty() {
            push_all(out, &[prefix, ":"]);
        }
        out.push_str(&self.name);
    }

    /// Writes the start tag, or the one tag of an element that holds nothing.
    fn write_start(&self, out: &mut String, inherited: &str) {
        out.push('<');
        self.write_name(out);
        match self.written_prefix() {
            "xml" => {} // declared everywhere
            "" if self.namespace == inherited => {}
            "" => push_attribute(out, "xmlns", &self.namespace),
            prefix => push_attribute(out, &format!("xmlns:{prefix}"), &self.namespace),
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

/// Writes a document of its own.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_to(&mut out, "");
        f.write_str(&out)
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
