//! Floor 1: XML as XMPP allows it, over quick-xml.
//!
//! quick-xml finds the tokens; this room decides whether they are allowed. A [`Scanner`] passes
//! once over a frame, builds no tree, allocates nothing once warm (beyond the two small buffers of
//! quick-xml's reader), never recurses, and answers with a [`Frame`]: where the root element, its
//! attributes and its children lie in the text. An [`Element`] is a tree, and only what is
//! addressed to the server itself is worth one.
//!
//! What is allowed: XML 1.0 (fifth edition) with Namespaces 1.0, without comments, processing
//! instructions, document types and entities other than the five predefined ones (RFC 6120 §11.1),
//! in UTF-8 (RFC 6120 §11.6), one complete element per frame (RFC 7395 §3.3.3), within [`Limits`].
//!
//! Every refusal is an [`XmlFault`], always the peer's doing; [`XmlFault::kind`] chooses among the
//! few stream error conditions that RFC 6120 §4.9.3 has for XML.

mod attributes;
mod chars;
mod declaration;
mod element;
mod escape;
mod fault;
mod frame;
mod namespaces;
mod scanner;
mod walk;

#[cfg(test)]
mod tests;

pub use attributes::{Attributes, RawAttribute};
pub use element::{Element, ElementAttribute, Node};
pub use escape::{escape_attribute, escape_text};
pub use fault::{FaultKind, XmlFault};
pub use frame::{Child, Frame};
pub use scanner::Scanner;

/// The namespace to which the prefix `xml` is bound (Namespaces in XML 1.0 §3).
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace to which the prefix `xmlns` is bound (Namespaces in XML 1.0 §3).
pub const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// A range of bytes in the text of a frame; both ends lie between characters.
///
/// Four bytes each suffice: a longer text is refused ([`XmlFault::TooLong`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The part of `text` that this span covers; `""` if it does not lie in `text`.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// The length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the span covers nothing.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub(crate) fn new(start: usize, end: usize) -> Self {
        // The walk refuses texts that `u32` cannot address before it makes the first span.
        Self {
            start: start as u32,
            end: end as u32,
        }
    }
}

/// How much structure one frame may have (RFC 6120 §13.12). Its length in bytes is bounded by
/// whoever reads it from the network.
///
/// Passing a limit is [`FaultKind::PolicyViolation`]. With these bounds the cost of a pass is
/// linear in the length of the text, whatever the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep elements may nest; the root alone is 1. Default 64.
    pub depth: u16,
    /// Attributes of one element, namespace declarations included. Default 64, at most 256: they
    /// are compared pairwise.
    pub attributes: u16,
    /// Namespace declarations in scope at any one place. Default 64, at most 64: each prefix is
    /// searched among them, and those of the root are kept as a set of 64 bits.
    pub namespaces: u16,
    /// Elements in one frame, the root included. Default 16,384.
    pub elements: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            attributes: 64,
            namespaces: 64,
            elements: 16_384,
        }
    }
}

impl Limits {
    fn clamped(self) -> Self {
        Self {
            attributes: self.attributes.min(ATTRIBUTES_MAX),
            namespaces: self.namespaces.min(NAMESPACES_MAX),
            ..self
        }
    }
}

const ATTRIBUTES_MAX: u16 = 256;
const NAMESPACES_MAX: u16 = 64;
