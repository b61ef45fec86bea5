//! Finds what the generator needs in a stanza without parsing it: it is the peer's own text that
//! comes back, and a server under measurement is not an attacker.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memmem;

/// Begins each body: with the run in it, so that what a server kept of an earlier run and delivers
/// late is not taken for a copy.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("<body>#{:x}-{:x}.", now.as_millis(), std::process::id())
});

pub struct Mark {
    pub flow: u32,
    pub number: u64,
    /// Microseconds since the generator began, when the stanza was made.
    pub at: u64,
}

pub struct Scanner(memmem::Finder<'static>);

impl Scanner {
    pub fn new() -> Self {
        Self(memmem::Finder::new(MARK.as_bytes()))
    }

    pub fn mark(&self, stanza: &[u8]) -> Option<Mark> {
        Self::read(&stanza[self.0.find(stanza)? + MARK.len()..])
    }

    /// All of them, where several stanzas stand in one text.
    pub fn marks(&self, text: &[u8]) -> impl Iterator<Item = Mark> {
        self.0
            .find_iter(text)
            .filter_map(|at| Self::read(&text[at + MARK.len()..]))
    }

    fn read(mut rest: &[u8]) -> Option<Mark> {
        let mut number = || {
            let end = memchr::memchr(b'.', rest)?;
            let value = digits(&rest[..end]);
            rest = &rest[end + 1..];
            value
        };
        Some(Mark {
            flow: u32::try_from(number()?).ok()?,
            number: number()?,
            at: number()?,
        })
    }
}

pub fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u64::from(byte - b'0'))
    })
}

/// A message of `size` bytes, or a little more if that is too short for what it has to carry.
pub fn write_message(out: &mut Vec<u8>, to: &str, mark: &Mark, size: usize) {
    write_message_of(out, "chat", to, mark, size);
}

pub fn write_message_of(out: &mut Vec<u8>, kind: &str, to: &str, mark: &Mark, size: usize) {
    use std::io::Write;
    let Mark { flow, number, at } = mark;
    out.clear();
    let _ = write!(
        out,
        "<message xmlns='jabber:client' to='{to}' type='{kind}' id='{flow}-{number}'>\
         {mark}{flow}.{number}.{at}.",
        mark = *MARK,
    );
    const END: &[u8] = b"</body></message>";
    const TEXT: &[u8] = b"The quick brown fox jumps over the lazy dog. ";
    let mut left = size.saturating_sub(out.len() + END.len());
    while left > 0 {
        let part = left.min(TEXT.len());
        out.extend_from_slice(&TEXT[..part]);
        left -= part;
    }
    out.extend_from_slice(END);
}

pub fn has(text: &[u8], what: &str) -> bool {
    memmem::find(text, what.as_bytes()).is_some()
}

/// The value of the first attribute of that name, in either kind of quotes.
pub fn attribute<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    for at in memmem::find_iter(text, name.as_bytes()) {
        let rest = &text[at + name.len()..];
        let before = at.checked_sub(1).map(|at| text[at]);
        if !before.is_some_and(|byte| byte.is_ascii_whitespace()) || rest.first() != Some(&b'=') {
            continue;
        }
        let quote = *rest.get(1)?;
        let value = &rest[2..];
        return std::str::from_utf8(&value[..memchr::memchr(quote, value)?]).ok();
    }
    None
}

/// The text between the first `<name…>` and the `<` after it.
pub fn content<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    let start = memmem::find(text, format!("<{name}").as_bytes())?;
    let rest = &text[start..];
    let rest = &rest[memchr::memchr(b'>', rest)? + 1..];
    std::str::from_utf8(&rest[..memchr::memchr(b'<', rest)?]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_mark_and_has_its_size() {
        let mut out = Vec::new();
        let mark = Mark {
            flow: 7,
            number: 1_000_000,
            at: 123_456,
        };
        write_message(&mut out, "user1@localhost/r0", &mark, 300);
        assert_eq!(out.len(), 300);
        let found = Scanner::new().mark(&out).unwrap();
        assert_eq!(
            (found.flow, found.number, found.at),
            (7, 1_000_000, 123_456)
        );
    }

    #[test]
    fn a_stanza_without_a_mark_has_none() {
        for text in [
            "<presence/>",
            "<message><body>#1.2.3.</body></message>",
            "<body>#1.2",
        ] {
            assert!(Scanner::new().mark(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn attributes_are_found_by_their_whole_name_in_either_quotes() {
        let text = b"<enabled max=\"600\" previd='x' id='abc' resume=\"true\"/>";
        assert_eq!(attribute(text, "id"), Some("abc"));
        assert_eq!(attribute(text, "resume"), Some("true"));
        assert_eq!(attribute(text, "location"), None);
    }

    #[test]
    fn content_is_what_stands_between_the_tags() {
        assert_eq!(
            content(b"<bind xmlns='x'><jid>a@b/c</jid></bind>", "jid"),
            Some("a@b/c")
        );
    }
}
