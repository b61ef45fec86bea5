//! The pass that records where things lie.

use super::attributes::RawAttribute;
use super::chars::QName;
use super::frame::Frame;
use super::namespaces::{Namespace, Namespaces};
use super::walk::{Sink, Tag, Walker};
use super::{Limits, Span, XmlFault};

/// Reads frames, one after the other, with the same buffers.
///
/// Cost of a scan: one pass, linear in the length of the text. Keeps some kilobytes at most,
/// whatever it has read.
#[derive(Debug)]
pub struct Scanner {
    pub(super) walker: Walker,
    pub(super) record: Record,
}

impl Scanner {
    /// A scanner that refuses frames with more structure than `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            walker: Walker::new(limits),
            record: Record::default(),
        }
    }

    /// Other limits from the next frame on: streams of one thread share a scanner.
    pub fn set_limits(&mut self, limits: Limits) {
        self.walker.set_limits(limits);
    }

    /// Reads one complete element as a document of its own (RFC 7395 §3.3.3).
    ///
    /// An XML declaration before it and white space after it are tolerated.
    ///
    /// # Errors
    ///
    /// [`XmlFault`], the first one in the text. A fault found late may stand behind content that
    /// was in order: nothing of a refused frame is to be processed.
    pub fn scan<'s, 't>(&'s mut self, text: &'t str) -> Result<Frame<'s, 't>, XmlFault> {
        self.record.clear();
        self.walker.walk(text, &mut self.record)?;
        Ok(Frame::new(text, self))
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// Where the root and its children lie.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub root: ElementRecord,
    /// Those of the root, which are asked for again and again.
    pub attributes: Vec<AttributeRecord>,
    pub children: Vec<ElementRecord>,
}

/// Where one element lies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ElementRecord {
    /// From `<` to the last `>`.
    pub span: Span,
    pub qname: QName,
    pub namespace: Namespace,
    /// The start tag between its name and its `>` or `/>`.
    pub inside: Span,
    /// From the end of the start tag to the start of the end tag; empty in an empty element.
    pub content: Span,
    pub is_empty: bool,
    /// Which namespace declarations of the root the element uses, itself or within; see
    /// [`Namespaces::take_used`].
    pub inherits: u64,
}

/// Where one attribute lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttributeRecord {
    qname: QName,
    value: Span,
    is_plain: bool,
}

impl AttributeRecord {
    pub fn of<'t>(&self, text: &'t str) -> RawAttribute<'t> {
        let Self {
            qname,
            value,
            is_plain,
        } = *self;
        RawAttribute {
            text,
            qname,
            value,
            is_plain,
        }
    }
}

impl ElementRecord {
    fn new(tag: &Tag<'_>) -> Self {
        Self {
            span: tag.span,
            qname: tag.qname,
            namespace: tag.namespace,
            inside: tag.inside,
            content: Span {
                start: tag.span.end,
                end: tag.span.end,
            },
            is_empty: tag.is_empty,
            inherits: 0,
        }
    }

    fn close(&mut self, content_end: usize, end: usize) {
        self.content.end = content_end as u32;
        self.span.end = end as u32;
    }
}

impl Record {
    fn clear(&mut self) {
        self.attributes.clear();
        self.children.clear();
        self.children.shrink_to(CHILDREN_KEPT);
    }
}

impl Sink for Record {
    fn start(&mut self, tag: Tag<'_>, namespaces: &mut Namespaces) {
        match tag.depth {
            1 => {
                self.root = ElementRecord::new(&tag);
                let attributes = tag.attributes.iter();
                self.attributes
                    .extend(attributes.map(|attribute| AttributeRecord {
                        qname: attribute.qname,
                        value: attribute.value,
                        is_plain: attribute.is_plain,
                    }));
                namespaces.take_used();
            }
            2 => self.children.push(ElementRecord::new(&tag)),
            _ => {}
        }
    }

    fn end(&mut self, depth: u16, content_end: usize, end: usize, namespaces: &mut Namespaces) {
        match depth {
            1 => self.root.close(content_end, end),
            2 => {
                if let Some(child) = self.children.last_mut() {
                    child.close(content_end, end);
                    child.inherits = namespaces.take_used();
                }
            }
            _ => {}
        }
    }
}

/// Room for so many children stays allocated from frame to frame: more than a stanza has.
const CHILDREN_KEPT: usize = 64;
