//! The attributes of one start tag, as written (XML 1.0 §3.1).

use std::borrow::Cow;

use memchr::memchr3;

use super::chars::{QName, is_space, qname, skip_space};
use super::escape::{ReferenceFault, attribute_value, dereference};
use super::{Span, XmlFault};

/// One attribute as written, namespace declarations included.
#[derive(Debug, Clone, Copy)]
pub struct RawAttribute<'t> {
    pub(super) text: &'t str,
    pub(super) qname: QName,
    pub(super) value: Span,
    /// Known to be meant as it is written.
    pub(super) is_plain: bool,
}

impl<'t> RawAttribute<'t> {
    /// The name with its prefix, as written.
    pub fn name(&self) -> &'t str {
        self.qname.span.of(self.text)
    }

    /// The prefix; `""` if none.
    pub fn prefix(&self) -> &'t str {
        self.qname.prefix(self.text)
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'t str {
        self.qname.local(self.text)
    }

    /// The value as written between the quotes.
    pub fn raw_value(&self) -> &'t str {
        self.value.of(self.text)
    }

    /// The value as meant: references resolved, white space normalised (XML 1.0 §3.3.3).
    pub fn value(&self) -> Cow<'t, str> {
        match self.is_plain {
            true => Cow::Borrowed(self.raw_value()),
            false => attribute_value(self.raw_value()),
        }
    }

    /// The kind of quotes around the value, `'` or `"`.
    pub fn quote(&self) -> char {
        let at = self.value.end as usize;
        if self.text.as_bytes().get(at) == Some(&b'\'') {
            '\''
        } else {
            '"'
        }
    }

    /// Where the value lies in the text of the frame, without the quotes.
    pub fn value_span(&self) -> Span {
        self.value
    }

    /// Where the attribute lies in the text of the frame, from its name to its second quote.
    pub fn span(&self) -> Span {
        Span {
            start: self.qname.span.start,
            end: self.value.end + 1,
        }
    }

    /// Whether this is `xmlns` or `xmlns:…`, which XML calls declarations and not attributes.
    pub fn is_namespace_declaration(&self) -> bool {
        self.declared_prefix().is_some()
    }

    /// The prefix that this attribute declares, `""` for the default namespace; `None` if it is
    /// not a namespace declaration.
    pub fn declared_prefix(&self) -> Option<&'t str> {
        // Nearly all names end this at their first letter.
        let name = self.name().strip_prefix("xmlns")?;
        match name.strip_prefix(':') {
            None if name.is_empty() => Some(""),
            prefix => prefix,
        }
    }
}

/// The attributes of a start tag that a scanner accepted, in the order in which they are written.
#[derive(Debug, Clone)]
pub struct Attributes<'t>(Parser<'t>);

impl<'t> Attributes<'t> {
    pub(super) fn new(text: &'t str, inside: Span) -> Self {
        Self(Parser::new(text, inside, true))
    }
}

impl<'t> Iterator for Attributes<'t> {
    type Item = RawAttribute<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().ok().flatten()
    }
}

/// Reads attributes one by one and checks each.
#[derive(Debug, Clone)]
pub(super) struct Parser<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    /// Whether tabs and line ends may occur.
    has_line_space: bool,
}

impl<'t> Parser<'t> {
    /// `inside` begins after the name of the tag and ends before its `>` or `/>`.
    /// `has_line_space` may only be false if the text was surveyed.
    pub fn new(text: &'t str, inside: Span, has_line_space: bool) -> Self {
        Self {
            text,
            at: inside.start as usize,
            end: inside.end as usize,
            has_line_space,
        }
    }

    // Inlined, the attribute stays in registers on its way to who asks.
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<RawAttribute<'t>>, XmlFault> {
        let start = skip_space(self.text, self.at).min(self.end);
        if start == self.end {
            return Ok(None);
        }
        // XML 1.0 §3.1: white space before each attribute.
        if start == self.at {
            return Err(XmlFault::Attribute { at: start as u32 });
        }
        let qname = qname(self.text, start)?;
        let (value, has_reference) = self.value(qname.span.end as usize)?;
        self.at = value.end as usize + 1;
        if self.at > self.end {
            return Err(XmlFault::Attribute { at: start as u32 });
        }
        Ok(Some(RawAttribute {
            text: self.text,
            qname,
            value,
            is_plain: !has_reference && !self.has_line_space,
        }))
    }

    /// The value, given where the name ends (XML 1.0 §3.1, `Eq AttValue`), and whether there are
    /// references in it.
    fn value(&self, name_end: usize) -> Result<(Span, bool), XmlFault> {
        let bytes = self.text.as_bytes();
        let fault = XmlFault::Attribute {
            at: name_end as u32,
        };
        let equals = skip_space(self.text, name_end);
        if bytes.get(equals) != Some(&b'=') {
            return Err(fault);
        }
        let open = skip_space(self.text, equals + 1);
        let quote = *bytes
            .get(open)
            .filter(|b| matches!(b, b'\'' | b'"'))
            .ok_or(fault)?;
        let start = open + 1;
        let (end, has_reference) = self.value_end(start, quote)?.ok_or(fault)?;
        Ok((Span::new(start, end), has_reference))
    }

    /// Finds the closing quote; checks what lies before it, and says whether that has references.
    fn value_end(&self, start: usize, quote: u8) -> Result<Option<(usize, bool)>, XmlFault> {
        let bytes = self.text.as_bytes();
        let (mut at, mut has_reference) = (start, false);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr3(quote, b'<', b'&', rest) else {
                return Ok(None);
            };
            at += found;
            has_reference |= rest.get(found) == Some(&b'&');
            match rest.get(found) {
                // XML 1.0 §3.1, "No < in Attribute Values".
                Some(b'<') => return Err(XmlFault::LessThanInValue { at: at as u32 }),
                Some(b'&') => at = reference_end(self.text, at)?,
                _ => return Ok(Some((at, has_reference))),
            }
        }
    }
}

/// Checks the reference in an attribute value whose `&` stands at `at`; returns where it ends.
fn reference_end(text: &str, at: usize) -> Result<usize, XmlFault> {
    let rest = text.get(at + 1..).unwrap_or_default();
    let stops = |byte: u8| matches!(byte, b';' | b'&' | b'<' | b'"' | b'\'') || is_space(byte);
    let end = rest.bytes().position(stops).unwrap_or(rest.len());
    if rest.as_bytes().get(end) != Some(&b';') {
        return Err(XmlFault::Reference { at: at as u32 });
    }
    check_reference(rest.get(..end).unwrap_or_default(), at)?;
    Ok(at + end + 2)
}

/// The character of a reference, or the fault that it is.
pub(super) fn check_reference(name: &str, at: usize) -> Result<char, XmlFault> {
    dereference(name).map_err(|fault| match fault {
        ReferenceFault::Malformed => XmlFault::Reference { at: at as u32 },
        ReferenceFault::Entity => XmlFault::Entity { at: at as u32 },
    })
}
