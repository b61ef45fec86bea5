//! The kinds of values: how each is read, checked, described and written.

mod list;
mod net;
mod number;
mod text;

pub(crate) use list::{header_names, tokens, url_paths, words};
pub(crate) use net::{address, http_url, networks, origins, public_url, websocket_url};
pub(crate) use number::{count, count_rate, size, size_rate, span, switch, whole_seconds};
pub(super) use text::{NAME_ALLOWED, is_name};
pub(crate) use text::{choice, domains, line, name, only_domain, optional, path, url_path};

use std::path::Path;

use super::types::Choice;

/// What an operator wrote, before it is known to make sense.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    Boolean(bool),
    Integer(i128),
    /// A string of a file.
    Text(String),
    /// The text of a variable or of `--set`: it takes the type that its option has.
    Word(String),
    List(Vec<Raw>),
    /// What no option takes; the text says what it is.
    Other(&'static str),
}

impl Raw {
    /// As it is repeated in an error.
    pub fn shown(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::Word(text) => text.clone(),
            Self::List(items) => {
                format!(
                    "[{}]",
                    items.iter().map(Self::shown).collect::<Vec<_>>().join(", ")
                )
            }
            Self::Other(what) => (*what).to_owned(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            _ => None,
        }
    }

    /// The strings of a list; a single string is a list of one, a word is cut at its commas.
    fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::Word(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .collect(),
            ),
            Self::List(items) => items.iter().map(Self::text).collect(),
            _ => None,
        }
    }
}

/// What was written, and the directory that its relative paths start from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub raw: &'a Raw,
    pub base: &'a Path,
}

/// How the values of an option are read, checked, described and written.
pub(crate) trait Kind: Send + Sync + 'static {
    type Value: Clone;

    /// The name of the type, such as "duration".
    fn type_name(&self) -> String;

    /// The range or the words allowed, such as "1s to 1h".
    fn allowed(&self) -> String;

    /// The value, or why there is none as the end of a sentence.
    fn read(&self, given: Given<'_>) -> Result<Self::Value, String>;

    /// The value as TOML, or none if it is absent. What is written is read again.
    fn write(&self, value: &Self::Value) -> Option<String>;

    /// The word for a value that is absent, if it may be.
    fn absent(&self) -> Option<&'static str> {
        None
    }

    /// TOML to show where there is no default.
    fn example(&self) -> Option<String> {
        None
    }
}

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn quoted_list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| quoted(item.as_ref()))
        .collect();
    format!("[{}]", items.join(", "))
}
