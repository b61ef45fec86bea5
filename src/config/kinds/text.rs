//! Words, names, domains and paths.

use std::marker::PhantomData;
use std::path::PathBuf;

use jid::DomainPart;

use super::{Choice, Given, Kind, quoted, quoted_list};

/// One of the words of `T`.
pub(crate) fn choice<T: Choice>() -> OneOf<T> {
    OneOf(PhantomData)
}

pub(crate) struct OneOf<T>(PhantomData<T>);

impl<T: Choice> Kind for OneOf<T> {
    type Value = T;

    fn type_name(&self) -> String {
        "word".into()
    }

    fn allowed(&self) -> String {
        let words: Vec<String> = T::WORDS.iter().map(|(word, _)| quoted(word)).collect();
        words.join(", ")
    }

    fn read(&self, given: Given<'_>) -> Result<T, String> {
        let word = given.raw.text().unwrap_or_default();
        let found = T::WORDS.iter().find(|(known, _)| *known == word);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| "is none of the words".into())
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(quoted(value.word()))
    }
}

/// What may be absent; `"none"` says so. `example` is a TOML value.
pub(crate) fn optional<K>(kind: K, example: &'static str) -> Maybe<K> {
    Maybe { kind, example }
}

pub(crate) struct Maybe<K> {
    kind: K,
    example: &'static str,
}

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;

    fn type_name(&self) -> String {
        self.kind.type_name()
    }

    fn allowed(&self) -> String {
        format!("{}, or \"none\"", self.kind.allowed())
    }

    fn read(&self, given: Given<'_>) -> Result<Self::Value, String> {
        match given.raw.text() {
            Some(text) if Some(text) == self.absent() => Ok(None),
            _ => self.kind.read(given).map(Some),
        }
    }

    fn write(&self, value: &Self::Value) -> Option<String> {
        self.kind.write(value.as_ref()?)
    }

    fn absent(&self) -> Option<&'static str> {
        Some("none")
    }

    fn example(&self) -> Option<String> {
        Some(self.example.to_owned())
    }
}

/// A path; a relative one in a file starts from the directory of that file.
pub(crate) fn path() -> FilePath {
    FilePath
}

pub(crate) struct FilePath;

impl Kind for FilePath {
    type Value = PathBuf;

    fn type_name(&self) -> String {
        "path".into()
    }

    fn allowed(&self) -> String {
        "a path; in a file, relative to the directory of the file".into()
    }

    fn read(&self, given: Given<'_>) -> Result<PathBuf, String> {
        match given.raw.text() {
            Some(text) if !text.is_empty() => Ok(given.base.join(text)),
            _ => Err("is not a path".into()),
        }
    }

    fn write(&self, value: &PathBuf) -> Option<String> {
        Some(quoted(&value.to_string_lossy()))
    }
}

/// One XMPP domain or more, each as RFC 7622 §3.2 wants it.
pub(crate) fn domains() -> Domains {
    Domains
}

pub(crate) struct Domains;

/// Of domains that one server answers for.
const DOMAINS_MAX: usize = 64;
/// RFC 7622 §3.2.
const DOMAIN_MAX_BYTES: usize = 1023;

impl Kind for Domains {
    type Value = Vec<String>;

    fn type_name(&self) -> String {
        "list of domains".into()
    }

    fn allowed(&self) -> String {
        format!("1 to {DOMAINS_MAX} domain names, each once")
    }

    fn read(&self, given: Given<'_>) -> Result<Vec<String>, String> {
        let texts = given.raw.texts().ok_or("is not a list of domains")?;
        let mut domains: Vec<String> = Vec::new();
        for text in texts {
            let domain = read_domain(text)?;
            if domains.contains(&domain) {
                return Err(format!("has {domain} twice"));
            }
            domains.push(domain);
        }
        if (1..=DOMAINS_MAX).contains(&domains.len()) {
            Ok(domains)
        } else {
            Err("has no domain, or too many".into())
        }
    }

    /// A list of one is written as `domain`.
    fn write(&self, value: &Vec<String>) -> Option<String> {
        (value.len() > 1).then(|| quoted_list(value))
    }

    fn example(&self) -> Option<String> {
        Some(quoted_list(["example.org", "example.net"]))
    }
}

/// A single domain, which stands for a list of one.
pub(crate) fn only_domain() -> OnlyDomain {
    OnlyDomain
}

pub(crate) struct OnlyDomain;

impl Kind for OnlyDomain {
    type Value = Vec<String>;

    fn type_name(&self) -> String {
        "domain".into()
    }

    fn allowed(&self) -> String {
        "a domain name".into()
    }

    fn read(&self, given: Given<'_>) -> Result<Vec<String>, String> {
        let text = given.raw.text().ok_or("is not a domain name")?;
        read_domain(text).map(|domain| vec![domain])
    }

    fn write(&self, value: &Vec<String>) -> Option<String> {
        match value.as_slice() {
            [domain] => Some(quoted(domain)),
            _ => None,
        }
    }
}

/// The normal form of a domain. The trailing dot goes first (RFC 7622 §3.2), the length is checked
/// before any other work is done.
pub(crate) fn read_domain(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let fits = !text.is_empty() && text.len() <= DOMAIN_MAX_BYTES;
    let bare =
        !text.contains(['@', '/', ':', ' ']) && !text.ends_with('.') && !text.starts_with('.');
    if !fits || !bare {
        return Err(format!("has {text:?}, which is not a domain name"));
    }
    let domain = DomainPart::new(text).map_err(|error| format!("has {text:?}: {error}"))?;
    Ok(domain.as_str().to_lowercase())
}

/// A name for logs and figures.
pub(crate) fn name() -> Name {
    Name
}

pub(crate) struct Name;

pub(in crate::config) const NAME_ALLOWED: &str = "1 to 64 of a-z, 0-9, \"-\", \"_\" and \".\"";

/// Whether `text` is a plain name.
pub(in crate::config) fn is_name(text: &str) -> bool {
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

impl Kind for Name {
    type Value = String;

    fn type_name(&self) -> String {
        "name".into()
    }

    fn allowed(&self) -> String {
        NAME_ALLOWED.into()
    }

    fn read(&self, given: Given<'_>) -> Result<String, String> {
        match given.raw.text() {
            Some(text) if is_name(text) => Ok(text.to_owned()),
            _ => Err("is not a plain name".into()),
        }
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }
}

/// The path of a URL, kept with a slash at the end.
pub(crate) fn url_path() -> UrlPath {
    UrlPath
}

pub(crate) struct UrlPath;

impl Kind for UrlPath {
    type Value = String;

    fn type_name(&self) -> String {
        "URL path".into()
    }

    fn allowed(&self) -> String {
        "\"/\" and more; served with and without a slash at the end".into()
    }

    fn read(&self, given: Given<'_>) -> Result<String, String> {
        read_url_path(given.raw.text().ok_or("is not a path")?)
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }
}

/// `text` with one slash at its end.
pub(super) fn read_url_path(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    // Without escapes, so that there is one way to write each path and none to leave it.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    let segment = |part: &str| part.bytes().all(plain) && !matches!(part, "" | "." | "..");
    match trimmed.strip_prefix('/') {
        Some(rest) if rest.split('/').all(segment) => Ok(format!("{trimmed}/")),
        Some(_) => Err("has more than letters, digits, \"-\", \"_\", \".\" and \"~\"".into()),
        None => Err("does not begin with \"/\", or is nothing else".into()),
    }
}

/// A line of text that is compared as it is, such as an issuer or the name of a claim.
pub(crate) fn line() -> Line {
    Line
}

pub(crate) struct Line;

/// Of a line of text.
const LINE_MAX_BYTES: usize = 1024;

impl Kind for Line {
    type Value = String;

    fn type_name(&self) -> String {
        "text".into()
    }

    fn allowed(&self) -> String {
        format!("1 to {LINE_MAX_BYTES} bytes, no control characters")
    }

    fn read(&self, given: Given<'_>) -> Result<String, String> {
        match given.raw.text() {
            Some("") => Err("is empty".into()),
            Some(text) if text.len() > LINE_MAX_BYTES => Err("is too long".into()),
            Some(text) if text.chars().any(char::is_control) => {
                Err("has a control character".into())
            }
            Some(text) => Ok(text.to_owned()),
            None => Err("is no text".into()),
        }
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }
}
