//! Lists of words, of names and of paths. None of them has anything twice.

use std::marker::PhantomData;

use super::text::read_url_path;
use super::{Choice, Given, Kind, quoted, quoted_list};

/// What was written as a list, each item once and read by `read`, at most `max` of them.
fn read_list<T: PartialEq>(
    given: Given<'_>,
    max: usize,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    for text in given.raw.texts().ok_or("is not a list")? {
        let item = read(text)?;
        if items.contains(&item) {
            return Err(format!("has {text:?} twice"));
        }
        if items.len() == max {
            return Err(format!("has more than {max}"));
        }
        items.push(item);
    }
    Ok(items)
}

/// Some of the words of `T`, in an order of their own. `example` is a TOML value.
pub(crate) fn words<T: Choice>(least: usize, example: &'static str) -> Words<T> {
    Words {
        least,
        example,
        of: PhantomData,
    }
}

pub(crate) struct Words<T> {
    least: usize,
    example: &'static str,
    of: PhantomData<T>,
}

impl<T: Choice> Kind for Words<T> {
    type Value = Vec<T>;

    fn type_name(&self) -> String {
        "list of words".into()
    }

    fn allowed(&self) -> String {
        let words: Vec<String> = T::WORDS.iter().map(|(word, _)| quoted(word)).collect();
        let least = match self.least {
            0 => "any of",
            _ => "at least one of",
        };
        format!("{least} {}, each once", words.join(", "))
    }

    fn read(&self, given: Given<'_>) -> Result<Vec<T>, String> {
        let words = read_list(given, T::WORDS.len(), |text| {
            let found = T::WORDS.iter().find(|(word, _)| *word == text);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("has {text:?}, which is none of the words"))
        })?;
        if words.len() < self.least {
            return Err("is empty".into());
        }
        Ok(words)
    }

    fn write(&self, value: &Vec<T>) -> Option<String> {
        Some(quoted_list(value.iter().map(|value| value.word())))
    }

    fn example(&self) -> Option<String> {
        Some(self.example.to_owned())
    }
}

/// Tokens of RFC 9110 §5.6.2, such as the names of cookies. `example` is a TOML value.
pub(crate) fn tokens(of: &'static str, example: &'static str) -> Tokens {
    Tokens {
        of,
        example,
        lower: false,
    }
}

/// The names of headers, kept in lower case.
pub(crate) fn header_names(example: &'static str) -> Tokens {
    Tokens {
        of: "headers",
        example,
        lower: true,
    }
}

pub(crate) struct Tokens {
    of: &'static str,
    example: &'static str,
    lower: bool,
}

/// Of names in one list.
const TOKENS_MAX: usize = 32;
/// Of one name.
const TOKEN_MAX_BYTES: usize = 256;

fn is_token(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=TOKEN_MAX_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

impl Kind for Tokens {
    type Value = Vec<String>;

    fn type_name(&self) -> String {
        format!("list of names of {}", self.of)
    }

    fn allowed(&self) -> String {
        format!("0 to {TOKENS_MAX} names as RFC 9110 has them, each once")
    }

    fn read(&self, given: Given<'_>) -> Result<Vec<String>, String> {
        read_list(given, TOKENS_MAX, |text| match is_token(text) {
            true if self.lower => Ok(text.to_ascii_lowercase()),
            true => Ok(text.to_owned()),
            false => Err(format!("has {text:?}, which is no name of that kind")),
        })
    }

    fn write(&self, value: &Vec<String>) -> Option<String> {
        Some(quoted_list(value))
    }

    fn example(&self) -> Option<String> {
        Some(self.example.to_owned())
    }
}

/// Paths of URLs, each kept with a slash at the end.
pub(crate) fn url_paths(example: &'static str) -> UrlPaths {
    UrlPaths { example }
}

pub(crate) struct UrlPaths {
    example: &'static str,
}

/// Of paths in one list.
const PATHS_MAX: usize = 16;

impl Kind for UrlPaths {
    type Value = Vec<String>;

    fn type_name(&self) -> String {
        "list of URL paths".into()
    }

    fn allowed(&self) -> String {
        format!("0 to {PATHS_MAX} paths, each \"/\" and more")
    }

    fn read(&self, given: Given<'_>) -> Result<Vec<String>, String> {
        read_list(given, PATHS_MAX, |text| {
            read_url_path(text).map_err(|why| format!("has {text:?}, which {why}"))
        })
    }

    fn write(&self, value: &Vec<String>) -> Option<String> {
        Some(quoted_list(value))
    }

    fn example(&self) -> Option<String> {
        Some(self.example.to_owned())
    }
}
