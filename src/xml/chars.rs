//! Characters and names (XML 1.0 fifth edition §2.2, §2.3; Namespaces in XML 1.0 §4).

use super::{Span, XmlFault};

/// Whether XML can carry the character at all, as such or by reference (XML 1.0 §2.2, `Char`).
pub(super) fn is_allowed(c: char) -> bool {
    // `char` has no surrogates and ends at U+10FFFF.
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// White space, the production `S` (XML 1.0 §2.3).
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The end of the run of white space that begins at `at`.
pub(super) fn skip_space(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_space(**byte)).count()
}

/// What one quick pass over the bytes can tell about a whole text.
pub(super) struct Survey {
    /// Whether `]>` occurs, without which no text can hold the forbidden `]]>`.
    pub has_section_end: bool,
}

/// Refuses a text with a character that XML does not allow (XML 1.0 §2.2).
///
/// The pass over the bytes has no branches, so the compiler turns it into vector code; only a text
/// that looks suspicious is read again character by character.
pub(super) fn survey(text: &str) -> Result<Survey, XmlFault> {
    let bytes = text.as_bytes();
    let (mut suspicious, mut section_end) = (0, 0);
    for (&byte, &next) in bytes.iter().zip(bytes.get(1..).unwrap_or_default()) {
        suspicious |= u8::from(is_control(byte));
        // U+FFFE and U+FFFF end in BF BE and BF BF, and so do a few innocent characters.
        suspicious |= u8::from((byte == 0xBF) & (next >= 0xBE));
        section_end |= u8::from((byte == b']') & (next == b'>'));
    }
    suspicious |= u8::from(bytes.last().is_some_and(|byte| is_control(*byte)));
    if suspicious != 0
        && let Some((at, _)) = text.char_indices().find(|(_, c)| !is_allowed(*c))
    {
        return Err(XmlFault::Character { at: at as u32 });
    }
    Ok(Survey {
        has_section_end: section_end != 0,
    })
}

/// Whether the byte is a control character that XML does not allow.
fn is_control(byte: u8) -> bool {
    (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')
}

/// A name with at most one colon, in the text of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct QName {
    /// The whole name.
    pub span: Span,
    /// Where the local part begins: at the start, or after the colon.
    local_start: u32,
}

impl QName {
    /// The part before the colon; `""` if there is none.
    pub fn prefix(self, text: &str) -> &str {
        let end = self.local_start.saturating_sub(1).max(self.span.start);
        Span {
            start: self.span.start,
            end,
        }
        .of(text)
    }

    /// The part after the colon, or all of it.
    pub fn local(self, text: &str) -> &str {
        Span {
            start: self.local_start,
            end: self.span.end,
        }
        .of(text)
    }

    pub fn has_prefix(self) -> bool {
        self.local_start != self.span.start
    }
}

/// Reads the qualified name that begins at `start` (Namespaces in XML 1.0 §4, `QName`).
///
/// It ends before the first character that no name may contain; what that character is, the caller
/// judges.
pub(super) fn qname(text: &str, start: usize) -> Result<QName, XmlFault> {
    let first_end = nc_name_end(text, start)?;
    if text.as_bytes().get(first_end) != Some(&b':') {
        return Ok(QName {
            span: Span::new(start, first_end),
            local_start: start as u32,
        });
    }
    let local_start = first_end + 1;
    let end = nc_name_end(text, local_start)?;
    match text.as_bytes().get(end) {
        Some(b':') => Err(XmlFault::Name { at: start as u32 }),
        _ => Ok(QName {
            span: Span::new(start, end),
            local_start: local_start as u32,
        }),
    }
}

/// Whether the whole text is one name, colons allowed (XML 1.0 §2.3, `Name`).
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c == ':' || is_name_start(c))
        && chars.all(|c| c == ':' || is_name_char(c))
}

/// Whether the whole text is a name without a colon.
pub(super) fn is_nc_name(text: &str) -> bool {
    nc_name_end(text, 0) == Ok(text.len())
}

/// The end of the name without colon that begins at `start`.
fn nc_name_end(text: &str, start: usize) -> Result<usize, XmlFault> {
    let rest = text.get(start..).unwrap_or_default();
    if !rest.chars().next().is_some_and(is_name_start) {
        return Err(XmlFault::Name { at: start as u32 });
    }
    let bytes = rest.as_bytes();
    let mut end = 0;
    while let Some(&byte) = bytes.get(end) {
        if byte.is_ascii() {
            if !ASCII_NAME[byte as usize] {
                break;
            }
            end += 1;
        } else {
            match rest.get(end..).and_then(|rest| rest.chars().next()) {
                Some(c) if is_name_char(c) => end += c.len_utf8(),
                _ => break,
            }
        }
    }
    Ok(start + end)
}

/// `NameStartChar` without the colon (XML 1.0 §2.3).
fn is_name_start(c: char) -> bool {
    match c {
        'A'..='Z' | 'a'..='z' | '_' => true,
        '\0'..='\x7F' => false,
        '\u{D7}' | '\u{F7}' | '\u{37E}' => false,
        '\u{C0}'..='\u{2FF}' | '\u{370}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' => true,
        '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' => true,
        '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}' => true,
        _ => false,
    }
}

/// `NameChar` without the colon (XML 1.0 §2.3).
fn is_name_char(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
        || is_name_start(c)
}

/// [`is_name_char`] for ASCII.
const ASCII_NAME: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
        byte += 1;
    }
    table
};
