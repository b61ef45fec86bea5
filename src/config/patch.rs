//! Options that are changed while the server runs, one by one.

use super::checks;
use super::error::Problem;
use super::kinds::{Given, Raw};
use super::load::{OPTIONS, refused, unknown};
use super::option::Opt;
use super::{Config, Effect};
use serde_json::{Map, Value};
use std::path::Path;

/// An option that can be changed while the server runs, as it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Changeable {
    /// The full key, such as `sm.max_unacked`.
    pub key: &'static str,
    /// Its value, as it is written in the file; null if it is absent.
    pub value: Value,
    /// The same by default.
    pub default: Value,
    /// The name of its type, such as "duration".
    pub type_name: String,
    /// The range or the words that are allowed.
    pub allowed: String,
    /// [`Effect::Live`] or [`Effect::NewStreams`].
    pub effect: Effect,
    /// What the reference says of it.
    pub text: String,
}

impl Config {
    /// The options that can be changed while the server runs, in the order of the reference: those
    /// that a reload takes over, but `[[endpoint]]`, `[tier.NAME]` and what belongs to the process
    /// around the server (`[log]`).
    pub fn changeable(&self) -> Vec<Changeable> {
        let options = OPTIONS.iter().filter(|option| why_fixed(option).is_none());
        let told = options.map(|option| Changeable {
            key: option.key,
            value: json_of(option.get(self)),
            default: json_of(option.default.clone()),
            type_name: option.type_name.clone(),
            allowed: option.allowed.clone(),
            effect: option.effect,
            text: option
                .doc
                .iter()
                .map(|line| line.trim())
                .collect::<Vec<_>>()
                .join(" "),
        });
        told.collect()
    }

    /// These options with others: keys as in the reference, values as in the file, null for one that
    /// is to be absent.
    ///
    /// # Errors
    ///
    /// All that is wrong, in the words of [`Config::load`]: keys that are unknown or wait for a
    /// restart, values that are not allowed, or that do not go together and did before.
    pub fn with_changes(&self, changes: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let mut config = self.clone();
        let mut problems = Vec::new();
        for (key, value) in changes {
            problems.extend(change(&mut config, key, value).err());
        }
        if problems.is_empty() {
            let before: Vec<_> = checks::conflicts(self).into_iter().map(|c| c.why).collect();
            let conflicts = checks::conflicts(&config).into_iter().map(|c| c.why);
            let new = conflicts.filter(|why| !before.contains(why));
            problems.extend(new.map(|why| Problem::Conflict { why }));
        }
        match problems.is_empty() {
            true => Ok(config),
            false => Err(problems),
        }
    }
}

fn change(config: &mut Config, key: &str, value: &Value) -> Result<(), Problem> {
    let option = OPTIONS.iter().find(|option| option.key == key);
    let option = option.ok_or_else(|| unknown(key))?;
    if let Some(why) = why_fixed(option) {
        let why = format!("{key} {why}");
        return Err(Problem::Conflict { why });
    }
    let raw = raw_of(option, value);
    let given = Given {
        raw: &raw,
        base: Path::new(""),
    };
    option
        .set(config, given)
        .map_err(|why| refused(key.to_owned(), option, &raw, why))
}

fn why_fixed(option: &Opt<Config>) -> Option<&'static str> {
    if option.effect == Effect::Restart {
        return Some("takes effect by a restart only; write it into the file");
    }
    (option.section() == "log").then_some(
        "is not the server's, but that of the process; write it into the file and reload",
    )
}

fn raw_of(option: &Opt<Config>, value: &Value) -> Raw {
    match value {
        Value::Null => match &option.absent {
            Some(word) => Raw::Text(word.trim_matches('"').to_owned()),
            None => Raw::Other("null"),
        },
        Value::Bool(value) => Raw::Boolean(*value),
        Value::Number(number) => match number.as_i128() {
            Some(number) => Raw::Integer(number),
            None => Raw::Other("a fraction"),
        },
        Value::String(text) => Raw::Text(text.clone()),
        Value::Array(items) => Raw::List(items.iter().map(|item| raw_of(option, item)).collect()),
        Value::Object(_) => Raw::Other("a table"),
    }
}

/// A value that is written as TOML.
fn json_of(toml: Option<String>) -> Value {
    let Some(text) = toml else {
        return Value::Null;
    };
    let table: Option<Map<String, Value>> = toml::from_str(&format!("value = {text}")).ok();
    let value = table.and_then(|mut table| table.remove("value"));
    value.unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changed(changes: Value) -> Result<Config, Vec<String>> {
        let changes = changes.as_object().unwrap();
        let changed = Config::default().with_changes(changes);
        changed.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn options_are_changed_as_they_are_written_in_the_file() {
        let config = changed(json!({
            "sm.enabled": false, "sm.unsolicited_ack_frequency": 3, "sm.ack_timeout": "30s",
            "ws.see_other_uri": null,
        }));
        let config = config.unwrap();
        assert!(!config.sm.enabled);
        assert_eq!(config.sm.unsolicited_ack_frequency, 3);
        assert_eq!(config.sm.ack_timeout.as_secs(), 30);
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_the_file() {
        for (changes, word) in [
            (
                json!({"sm.enable": true}),
                "there is no option sm.enable; did you mean sm.enabled?",
            ),
            (
                json!({"sm.enabled": "yes"}),
                "sm.enabled = \"yes\" is neither true nor false",
            ),
            (
                json!({"sm.unsolicited_ack_frequency": 10_001}),
                "allowed: 0 to 10000",
            ),
            (
                json!({"sm.unsolicited_ack_frequency": 1.5}),
                "is not a whole number",
            ),
            (json!({"sm.ack_timeout": null}), "sm.ack_timeout = null"),
            (
                json!({"listen.plain": "none"}),
                "listen.plain takes effect by a restart only",
            ),
            (
                json!({"log.level": "debug"}),
                "log.level is not the server's",
            ),
            (
                json!({"sm.ack_request_frequency": 5000}),
                "has to be lower than sm.max_unacked",
            ),
            (json!({"endpoint": []}), "there is no option endpoint"),
        ] {
            let errors = changed(changes.clone()).unwrap_err();
            assert!(errors[0].contains(word), "{changes}: {errors:?}");
        }
        let errors = changed(json!({"a.b": 1, "sm.enabled": 0})).unwrap_err();
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn every_changeable_option_can_be_given_the_value_that_it_has() {
        let config = Config::default();
        for option in config.changeable() {
            let changes = Map::from_iter([(option.key.to_owned(), option.value)]);
            let same = config.with_changes(&changes);
            assert_eq!(same.as_ref(), Ok(&config), "{}", option.key);
        }
    }
}
