//! The one pass over a frame in which everything is checked.

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::events::Event;

use super::attributes::{Parser, RawAttribute, check_reference};
use super::chars::{QName, Survey, is_space, qname, survey};
use super::declaration::check_declaration;
use super::namespaces::{NO_NAMESPACE, Namespace, NamespaceId, Namespaces, Resolved, XMLNS_ID};
use super::{Limits, Span, XmlFault};

/// Who listens to a walk. What it hears has been checked.
pub(super) trait Sink {
    /// A start tag, or the one tag of an empty element: an [`end`](Self::end) follows at once.
    fn start(&mut self, tag: Tag<'_>, namespaces: &mut Namespaces);
    /// Text without references, line ends as written.
    fn text(&mut self, _text: &str) {}
    /// The character of a reference.
    fn character(&mut self, _c: char) {}
    /// The element at `depth` ended. Its end tag begins at `content_end`; `end` is after it.
    fn end(&mut self, depth: u16, content_end: usize, end: usize, namespaces: &mut Namespaces);
}

/// A start tag.
pub(super) struct Tag<'w> {
    pub text: &'w str,
    /// 1 for the root.
    pub depth: u16,
    pub qname: QName,
    pub namespace: Namespace,
    /// From `<` to `>`.
    pub span: Span,
    /// From the end of the name to before `>` or `/>`.
    pub inside: Span,
    pub is_empty: bool,
    pub attributes: &'w [Attribute],
}

/// An attribute with its namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    pub qname: QName,
    pub value: Span,
    /// See [`RawAttribute`].
    pub is_plain: bool,
    /// Its namespace, while it is in scope.
    pub id: NamespaceId,
    /// Differs for most names that differ.
    sketch: u32,
}

impl Attribute {
    fn new(attribute: &RawAttribute<'_>, id: NamespaceId) -> Self {
        let local = attribute.local().as_bytes();
        let byte = |at| local.get(at).copied().unwrap_or_default();
        let last = local.len().wrapping_sub(1);
        Self {
            qname: attribute.qname,
            value: attribute.value,
            is_plain: attribute.is_plain,
            id,
            sketch: u32::from_le_bytes([local.len() as u8, byte(0), byte(last / 2), byte(last)]),
        }
    }

    /// Whether both have the same expanded name.
    fn is_same_name(&self, other: &Self, text: &str) -> bool {
        (self.id == other.id) & (self.sketch == other.sketch)
            && self.qname.local(text) == other.qname.local(text)
    }

    pub fn is_namespace_declaration(&self) -> bool {
        self.id == XMLNS_ID
    }
}

/// The buffers of a walk, kept from frame to frame.
#[derive(Debug)]
pub(super) struct Walker {
    limits: Limits,
    pub namespaces: Namespaces,
    attributes: Vec<Attribute>,
}

impl Walker {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: limits.clamped(),
            namespaces: Namespaces::default(),
            attributes: Vec::new(),
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits.clamped();
    }

    /// Reads `text` as one document; tells `sink` what is in it. Stops at the first fault.
    pub fn walk<S: Sink>(&mut self, text: &str, sink: &mut S) -> Result<(), XmlFault> {
        self.namespaces.clear();
        u32::try_from(text.len()).map_err(|_| XmlFault::TooLong)?;
        // RFC 7395 §3.3.3: the first character is '<'.
        if !text.starts_with('<') {
            let blank = text.bytes().all(is_space);
            return Err(if blank {
                XmlFault::Empty
            } else {
                XmlFault::BeforeRoot
            });
        }
        let survey = survey(text)?;
        Walk {
            walker: self,
            sink,
            text,
            survey,
            depth: 0,
            elements: 0,
        }
        .run()
    }
}

struct Walk<'w, S> {
    walker: &'w mut Walker,
    sink: &'w mut S,
    text: &'w str,
    survey: Survey,
    /// How many elements are open.
    depth: u16,
    /// How many elements there were.
    elements: u32,
}

impl<S: Sink> Walk<'_, S> {
    fn run(mut self) -> Result<(), XmlFault> {
        let mut reader = Reader::from_str(self.text);
        loop {
            let start = reader.buffer_position() as usize;
            let event = reader
                .read_event()
                .map_err(|error| fault_of(&error, start))?;
            let span = Span::new(start, reader.buffer_position() as usize);
            match event {
                Event::Text(_) => self.text(span)?,
                Event::Start(_) => self.start(span, false)?,
                Event::Empty(_) => self.start(span, true)?,
                Event::End(_) => self.end(span),
                Event::GeneralRef(_) => self.reference(span)?,
                Event::CData(_) => self.section(span)?,
                Event::Decl(_) => check_declaration(self.text, span)?,
                Event::Comment(_) => return Err(XmlFault::Comment { at: span.start }),
                Event::PI(_) => return Err(XmlFault::ProcessingInstruction { at: span.start }),
                Event::DocType(_) => return Err(XmlFault::DocumentType { at: span.start }),
                Event::Eof => return self.finish(span.start),
            }
        }
    }

    fn start(&mut self, span: Span, is_empty: bool) -> Result<(), XmlFault> {
        self.count_element(span)?;
        let qname = qname(self.text, span.start as usize + 1)?;
        let end = span.end - if is_empty { 2 } else { 1 };
        // What is no name character and no white space ends in a fault here, too.
        let inside = Span {
            start: qname.span.end,
            end,
        };
        self.read_attributes(inside)?;
        let namespace = resolve(&mut self.walker.namespaces, self.text, qname)?.namespace;
        self.resolve_attributes()?;
        let (text, depth) = (self.text, self.depth);
        let attributes = &self.walker.attributes;
        let tag = Tag {
            text,
            depth,
            qname,
            namespace,
            span,
            inside,
            is_empty,
            attributes,
        };
        self.sink.start(tag, &mut self.walker.namespaces);
        if is_empty {
            self.leave(span.end as usize, span.end as usize);
        }
        Ok(())
    }

    fn count_element(&mut self, span: Span) -> Result<(), XmlFault> {
        let at = span.start;
        // RFC 7395 §3.3.3: one element, and nothing after it.
        if self.depth == 0 && self.elements > 0 {
            return Err(XmlFault::AfterRoot { at });
        }
        if self.depth >= self.walker.limits.depth {
            return Err(XmlFault::TooDeep { at });
        }
        if self.elements >= self.walker.limits.elements {
            return Err(XmlFault::TooManyElements { at });
        }
        self.depth += 1;
        self.elements += 1;
        Ok(())
    }

    /// Reads the attributes of one tag and declares the namespaces among them.
    fn read_attributes(&mut self, inside: Span) -> Result<(), XmlFault> {
        self.walker.attributes.clear();
        let mut parser = Parser::new(self.text, inside, self.survey.has_line_space);
        while let Some(attribute) = parser.next()? {
            if self.walker.attributes.len() >= usize::from(self.walker.limits.attributes) {
                return Err(XmlFault::TooManyAttributes {
                    at: attribute.qname.span.start,
                });
            }
            let id = self.declare(&attribute)?;
            self.walker.attributes.push(Attribute::new(&attribute, id));
        }
        Ok(())
    }

    fn declare(&mut self, attribute: &RawAttribute<'_>) -> Result<NamespaceId, XmlFault> {
        let Some(prefix) = attribute.declared_prefix() else {
            return Ok(NO_NAMESPACE);
        };
        let limit = self.walker.limits.namespaces;
        self.walker
            .namespaces
            .declare(attribute, prefix, self.depth, limit)?;
        Ok(XMLNS_ID)
    }

    /// Resolves the prefixes of the attributes and refuses the second of two equal names.
    ///
    /// Namespaces in XML 1.0 §6.3. Expanded names tell all there is to tell: the same prefix means
    /// the same namespace, and an attribute without a prefix is in none (§6.2).
    fn resolve_attributes(&mut self) -> Result<(), XmlFault> {
        let text = self.text;
        let Walker {
            namespaces,
            attributes,
            ..
        } = &mut *self.walker;
        for i in 0..attributes.len() {
            let (before, rest) = attributes.split_at_mut(i);
            let Some(attribute) = rest.first_mut() else {
                break;
            };
            if attribute.qname.has_prefix() && !attribute.is_namespace_declaration() {
                attribute.id = resolve(namespaces, text, attribute.qname)?.id;
            }
            if before
                .iter()
                .any(|other| other.is_same_name(attribute, text))
            {
                return Err(XmlFault::DuplicateAttribute {
                    at: attribute.qname.span.start,
                });
            }
        }
        Ok(())
    }

    fn end(&mut self, span: Span) {
        self.leave(span.start as usize, span.end as usize);
    }

    fn leave(&mut self, content_end: usize, end: usize) {
        self.sink
            .end(self.depth, content_end, end, &mut self.walker.namespaces);
        self.walker.namespaces.leave(self.depth);
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, span: Span) -> Result<(), XmlFault> {
        let text = span.of(self.text);
        if self.depth == 0 {
            return match text.bytes().all(is_space) {
                true => Ok(()),
                false => Err(self.outside(span)),
            };
        }
        if self.survey.has_section_end
            && let Some(at) = text.find("]]>")
        {
            return Err(XmlFault::SectionEndInText {
                at: span.start + at as u32,
            });
        }
        self.sink.text(text);
        Ok(())
    }

    fn reference(&mut self, span: Span) -> Result<(), XmlFault> {
        let name = Span {
            start: span.start + 1,
            end: span.end - 1,
        }
        .of(self.text);
        let c = check_reference(name, span.start as usize)?;
        if self.depth == 0 {
            return Err(self.outside(span));
        }
        self.sink.character(c);
        Ok(())
    }

    fn section(&mut self, span: Span) -> Result<(), XmlFault> {
        if self.depth == 0 {
            return Err(self.outside(span));
        }
        let (open, close) = ("<![CDATA[".len() as u32, "]]>".len() as u32);
        let inside = Span {
            start: span.start + open,
            end: span.end - close,
        };
        self.sink.text(inside.of(self.text));
        Ok(())
    }

    /// The fault of characters outside the root.
    fn outside(&self, span: Span) -> XmlFault {
        match self.elements {
            0 => XmlFault::BeforeRoot,
            _ => XmlFault::AfterRoot { at: span.start },
        }
    }

    fn finish(&self, end: u32) -> Result<(), XmlFault> {
        match (self.depth, self.elements) {
            (0, 1..) => Ok(()),
            _ => Err(XmlFault::Unclosed { at: end }),
        }
    }
}

fn resolve(namespaces: &mut Namespaces, text: &str, qname: QName) -> Result<Resolved, XmlFault> {
    let undeclared = XmlFault::UndeclaredPrefix {
        at: qname.span.start,
    };
    namespaces
        .resolve(text, qname.prefix(text))
        .ok_or(undeclared)
}

/// What an error of quick-xml, in the token that begins at `start`, says about the text.
fn fault_of(error: &Error, start: usize) -> XmlFault {
    let at = start as u32;
    match error {
        // RFC 6120 §11.1: seen is refused, ended or not.
        Error::Syntax(SyntaxError::UnclosedDoctype)
        | Error::IllFormed(IllFormedError::MissingDoctypeName) => XmlFault::DocumentType { at },
        Error::Syntax(SyntaxError::InvalidBangMarkup) => XmlFault::Markup { at },
        Error::Syntax(_) => XmlFault::Unclosed { at },
        Error::IllFormed(
            IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_),
        ) => XmlFault::EndTag { at },
        Error::IllFormed(IllFormedError::UnclosedReference) => XmlFault::Reference { at },
        _ => XmlFault::Markup { at },
    }
}
