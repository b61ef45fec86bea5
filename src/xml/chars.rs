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
pub(super) fn skip_space(text: &str, mut at: usize) -> usize {
    while text.as_bytes().get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// Whether `test` is true of one of the bytes.
///
/// Looks at whole blocks without a branch within, which the compiler turns into vector code.
pub(super) fn any_byte(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    const BLOCK: usize = 16;
    let in_block = |block: &[u8; BLOCK]| block.iter().fold(false, |found, b| found | test(*b));
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    if blocks.iter().any(in_block) {
        return true;
    }
    match bytes.last_chunk() {
        Some(last) if !rest.is_empty() => in_block(last),
        _ => rest.iter().any(|byte| test(*byte)),
    }
}

/// What one quick pass over the bytes can tell about a whole text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Survey {
    /// Whether `]>` occurs, without which no text can hold the forbidden `]]>`.
    pub has_section_end: bool,
    /// Whether a tab or a line end occurs, without which every value that holds no reference is
    /// meant as it is written.
    pub has_line_space: bool,
    /// Whether a character is there that XML may not allow.
    is_suspicious: bool,
}

/// Refuses a text with a character that XML does not allow (XML 1.0 §2.2).
///
/// Most blocks of bytes hold nothing that needs a closer look, and only a text in which that finds
/// something suspicious is read again character by character.
pub(super) fn survey(text: &str) -> Result<Survey, XmlFault> {
    let bytes = text.as_bytes();
    let mut survey = Survey::default();
    let (blocks, rest) = bytes.as_chunks::<SURVEY_BLOCK>();
    for (i, block) in blocks.iter().enumerate() {
        let glance = Glance::at(block);
        survey.has_line_space |= glance.is_low;
        if glance.is_worth_a_look {
            survey.look_closer(bytes, i * SURVEY_BLOCK);
        }
    }
    if !rest.is_empty() {
        survey.has_line_space |= any_byte(rest, is_low);
        if any_byte(rest, is_worth_a_look) {
            survey.look_closer(bytes, blocks.len() * SURVEY_BLOCK);
        }
    }
    if survey.is_suspicious
        && let Some((at, _)) = text.char_indices().find(|(_, c)| !is_allowed(*c))
    {
        return Err(XmlFault::Character { at: at as u32 });
    }
    Ok(survey)
}

/// Large enough that the vector code pays, small enough that a closer look costs little.
const SURVEY_BLOCK: usize = 64;

/// What the bytes of one block have in them.
struct Glance {
    is_low: bool,
    is_worth_a_look: bool,
}

impl Glance {
    fn at(block: &[u8; SURVEY_BLOCK]) -> Self {
        let (mut low, mut worth) = (false, false);
        for &byte in block {
            low |= is_low(byte);
            worth |= is_worth_a_look(byte);
        }
        Self {
            is_low: low,
            is_worth_a_look: worth,
        }
    }
}

/// Whether the byte is a control character; in a text that is in order, a tab or a line end.
fn is_low(byte: u8) -> bool {
    byte < 0x20
}

/// Whether [`Survey::look_closer`] could find something that begins with this byte: a control
/// character, U+FFFE or U+FFFF, or `]>`.
fn is_worth_a_look(byte: u8) -> bool {
    (is_low(byte) & (byte != b'\n')) | (byte == 0xEF) | (byte == b']')
}

impl Survey {
    /// Looks at the block that begins at `start`, and at the byte behind it.
    fn look_closer(&mut self, bytes: &[u8], start: usize) {
        let rest = bytes.get(start..).unwrap_or_default();
        let block = rest.get(..=SURVEY_BLOCK).unwrap_or(rest);
        let (mut suspicious, mut section_end) = (false, false);
        let after = block.get(1..).unwrap_or_default();
        for (&byte, &next) in block.iter().zip(after) {
            // U+FFFE and U+FFFF begin with EF BF, and so do a few innocent characters.
            suspicious |= is_control(byte) | ((byte == 0xEF) & (next == 0xBF));
            section_end |= (byte == b']') & (next == b'>');
        }
        suspicious |= block.last().is_some_and(|byte| is_control(*byte));
        self.is_suspicious |= suspicious;
        self.has_section_end |= section_end;
    }
}

/// Whether the byte is a control character that XML does not allow.
fn is_control(byte: u8) -> bool {
    is_low(byte) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')
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
        self.local_span().of(text)
    }

    pub fn local_span(self) -> Span {
        Span {
            start: self.local_start,
            end: self.span.end,
        }
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
    let bytes = text.as_bytes();
    let begins = match bytes.get(start) {
        Some(&byte) if byte.is_ascii() => byte.is_ascii_alphabetic() || byte == b'_',
        _ => char_at(text, start).is_some_and(is_name_start),
    };
    if !begins {
        return Err(XmlFault::Name { at: start as u32 });
    }
    let rest = bytes.get(start..).unwrap_or_default();
    let is_over = |byte: &u8| !ASCII_NAME[usize::from(*byte)];
    let end = start + rest.iter().position(is_over).unwrap_or(rest.len());
    match bytes.get(end) {
        Some(byte) if !byte.is_ascii() => Ok(end + non_ascii_name_len(text, end)),
        _ => Ok(end),
    }
}

/// How long the rest of a name is, from a character on that is not ASCII.
fn non_ascii_name_len(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find(|c| !is_name_char(c)).unwrap_or(rest.len())
}

fn char_at(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
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

/// [`is_name_char`] for ASCII; false for the bytes of all other characters.
const ASCII_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
        byte += 1;
    }
    table
};
