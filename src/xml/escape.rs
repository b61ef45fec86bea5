//! Between characters and their written form (XML 1.0 §2.4, §2.11, §3.3.3, §4.1).

use std::borrow::Cow;

use super::chars::{any_byte, is_allowed, is_name};

/// Writes text so that it reads back as it is, in an element.
///
/// CR becomes `&#13;`, since a reader would turn a bare one into LF (XML 1.0 §2.11). A character
/// that XML cannot carry becomes U+FFFD: a control character from a database must not cost a client
/// its stream. Borrows if there is nothing to do.
pub fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, is_special_in_text)
}

/// Writes a value so that it reads back as it is, in an attribute with either kind of quotes.
///
/// Besides what [`escape_text`] does, quotes are escaped, and tab and LF become `&#9;` and `&#10;`,
/// since a reader would turn bare ones into blanks (XML 1.0 §3.3.3).
pub fn escape_attribute(value: &str) -> Cow<'_, str> {
    escape(value, |byte| {
        is_special_in_text(byte)
            | (byte == b'"')
            | (byte == b'\'')
            | (byte == b'\t')
            | (byte == b'\n')
    })
}

fn is_special_in_text(byte: u8) -> bool {
    (byte == b'<') | (byte == b'>') | (byte == b'&')
}

fn escape(text: &str, special: impl Fn(u8) -> bool) -> Cow<'_, str> {
    // Each of these bytes begins a character.
    let stops = |byte| special(byte) | may_begin_forbidden(byte) | (byte == b'\r');
    if !any_byte(text.as_bytes(), stops) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + ESCAPE_ROOM_BYTES);
    let mut rest = text;
    while let Some(at) = rest.bytes().position(stops) {
        let (plain, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        written.push_str(plain);
        let mut chars = after.chars();
        chars
            .next()
            .into_iter()
            .for_each(|c| push_escaped(&mut written, c, &special));
        rest = chars.as_str();
    }
    written.push_str(rest);
    Cow::Owned(written)
}

/// Control characters but tab and LF; the first byte of U+FFFE and U+FFFF, and of much else.
fn may_begin_forbidden(byte: u8) -> bool {
    ((byte < 0x20) & (byte != b'\t') & (byte != b'\n')) | (byte == 0xEF)
}

fn push_escaped(written: &mut String, c: char, special: impl Fn(u8) -> bool) {
    match c {
        '\r' => written.push_str("&#13;"),
        c if !is_allowed(c) => written.push(char::REPLACEMENT_CHARACTER),
        c if !c.is_ascii() || !special(c as u8) => written.push(c),
        '<' => written.push_str("&lt;"),
        '>' => written.push_str("&gt;"),
        '&' => written.push_str("&amp;"),
        '"' => written.push_str("&quot;"),
        '\'' => written.push_str("&apos;"),
        '\t' => written.push_str("&#9;"),
        '\n' => written.push_str("&#10;"),
        c => written.push(c),
    }
}

/// Why a reference stands for no character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReferenceFault {
    /// It is no reference, or one to a character that XML does not allow.
    Malformed,
    /// It names an entity that XMPP does not know.
    Entity,
}

/// The character that a reference stands for, given what lies between `&` and `;`.
pub(super) fn dereference(name: &str) -> Result<char, ReferenceFault> {
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => character(number).ok_or(ReferenceFault::Malformed),
            None if is_name(name) => Err(ReferenceFault::Entity),
            None => Err(ReferenceFault::Malformed),
        },
    }
}

/// The character with a decimal number, or with a hexadecimal one after `x` (XML 1.0 §4.1).
fn character(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|byte| (byte as char).is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(code).filter(|c| is_allowed(*c))
}

/// The value of an attribute as it is meant: references resolved, white space normalised
/// (XML 1.0 §3.3.3). `raw` has been checked. Borrows if there is nothing to do.
pub(super) fn attribute_value(raw: &str) -> Cow<'_, str> {
    if !any_byte(raw.as_bytes(), is_rewritten) {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(is_rewritten) {
        let (literal, special) = rest.split_at(at);
        value.push_str(literal);
        let (c, used) = rewritten(special);
        value.push(c);
        rest = special.get(used..).unwrap_or_default();
    }
    value.push_str(rest);
    Cow::Owned(value)
}

/// Whether a byte of a raw value does not mean itself.
fn is_rewritten(byte: u8) -> bool {
    (byte == b'&') | (byte == b'\t') | (byte == b'\n') | (byte == b'\r')
}

/// The character that the start of `special` stands for, and how many bytes it takes.
fn rewritten(special: &str) -> (char, usize) {
    if let Some(reference) = special.strip_prefix('&') {
        let name = reference.split(';').next().unwrap_or_default();
        let c = dereference(name).unwrap_or(char::REPLACEMENT_CHARACTER);
        return (c, name.len() + 2);
    }
    // A line end of two characters is one (XML 1.0 §2.11), and each becomes a blank (§3.3.3).
    (' ', if special.starts_with("\r\n") { 2 } else { 1 })
}

/// Appends text with its line ends made LF (XML 1.0 §2.11).
pub(super) fn push_text(text: &mut String, raw: &str) {
    let mut lines = raw.split('\r');
    text.push_str(lines.next().unwrap_or_default());
    for line in lines {
        text.push('\n');
        text.push_str(line.strip_prefix('\n').unwrap_or(line));
    }
}

const ESCAPE_ROOM_BYTES: usize = 16;
