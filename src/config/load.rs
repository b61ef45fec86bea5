//! From what was written to a `Config`: every step is tried, every error is kept.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::checks;
use super::error::{ConfigError, ConfigErrors, Origin, Problem};
use super::kinds::{Given, Raw};
use super::layers::{self, Sources, Step};
use super::option::Opt;
use super::{Config, Endpoint};

/// The options outside `[[endpoint]]`, in the order of the reference.
pub(super) static OPTIONS: LazyLock<Vec<Opt<Config>>> = LazyLock::new(|| {
    let mut options = vec![super::sections::domain_option()];
    options.extend(Config::options());
    options
});

/// The options of one `[[endpoint]]`.
pub(super) static ENDPOINT_OPTIONS: LazyLock<Vec<Opt<Endpoint>>> = LazyLock::new(Endpoint::options);

/// Of `[[endpoint]]` tables.
pub(super) const ENDPOINTS_MAX: usize = 64;

impl Config {
    /// Reads the options: defaults, then the file, then the environment, then `--set`.
    ///
    /// # Errors
    ///
    /// All that is wrong, not only the first: what cannot be read, unknown keys, wrong types,
    /// values out of range, and, once each value is fine alone, values that do not go together.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let (steps, errors) = layers::read(sources);
        let mut loader = Loader {
            errors,
            ..Loader::default()
        };
        for step in steps {
            loader.take(step);
        }
        if loader.errors.is_empty() {
            loader.check();
        }
        let Loader {
            config, mut errors, ..
        } = loader;
        errors.sort_by_key(|error| strength(&error.origin));
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors(errors))
        }
    }
}

/// `[name]` is a section of the file.
pub(super) fn is_section(name: &str) -> bool {
    OPTIONS.iter().any(|option| option.section() == name) && !name.is_empty()
}

/// `key` is an option without a section, or one slip away from it.
pub(super) fn resembles_a_top_option(key: &str) -> bool {
    let mut top = OPTIONS.iter().filter(|option| option.section().is_empty());
    top.any(|option| strsim::damerau_levenshtein(option.key, key) <= 2)
}

#[derive(Default)]
struct Loader {
    config: Config,
    /// Where each key was set last.
    origins: HashMap<String, Origin>,
    errors: Vec<ConfigError>,
}

impl Loader {
    fn take(&mut self, step: Step) {
        match step {
            Step::Endpoints { count, origin } => self.reset_endpoints(count, origin),
            Step::Assign {
                key,
                raw,
                origin,
                base,
            } => {
                let given = Given {
                    raw: &raw,
                    base: &base,
                };
                let set = self.set(&key, given, &origin);
                match set {
                    Ok(()) => self.remember(key.join("."), origin),
                    Err(problem) => self.errors.push(ConfigError { origin, problem }),
                }
            }
        }
    }

    fn set(&mut self, key: &[String], given: Given<'_>, origin: &Origin) -> Result<(), Problem> {
        let full = key.join(".");
        if let [first, index, name] = key
            && first == "endpoint"
        {
            return self.set_endpoint(index, name, given);
        }
        let option = OPTIONS.iter().find(|option| option.key == full);
        let option = option.ok_or_else(|| no_option(&full, given.raw))?;
        self.check_domain_is_named_once(option.key, origin)?;
        option
            .set(&mut self.config, given)
            .map_err(|why| refused(full, option, given.raw, why))
    }

    fn set_endpoint(&mut self, index: &str, name: &str, given: Given<'_>) -> Result<(), Problem> {
        let full = format!("endpoint.{index}.{name}");
        let option = ENDPOINT_OPTIONS.iter().find(|option| option.name() == name);
        let option = option.ok_or_else(|| unknown(&format!("endpoint.{name}")))?;
        let endpoints = &mut self.config.endpoints;
        let index = index.parse().ok().filter(|index| *index <= endpoints.len());
        let index: usize = index
            .filter(|index| *index < ENDPOINTS_MAX)
            .ok_or_else(|| {
                let why = format!(
                    "{full}: endpoints are counted from 0, and there are {}",
                    endpoints.len()
                );
                Problem::Conflict { why }
            })?;
        if index == endpoints.len() {
            endpoints.push(Endpoint::default());
        }
        option
            .set(&mut endpoints[index], given)
            .map_err(|why| refused(full, option, given.raw, why))
    }

    fn reset_endpoints(&mut self, count: usize, origin: Origin) {
        if count > ENDPOINTS_MAX {
            let why = format!("there are {count} endpoints; allowed: 1 to {ENDPOINTS_MAX}");
            self.errors.push(ConfigError {
                origin: origin.clone(),
                problem: Problem::Conflict { why },
            });
        }
        self.config.endpoints = vec![Endpoint::default(); count.min(ENDPOINTS_MAX)];
        self.remember("endpoint".to_owned(), origin);
    }

    /// `domain` and `domains` are one option; a stronger layer may use the other form.
    fn check_domain_is_named_once(&self, key: &str, origin: &Origin) -> Result<(), Problem> {
        let other = match key {
            "domain" => "domains",
            "domains" => "domain",
            _ => return Ok(()),
        };
        let same_layer =
            |set: &&Origin| std::mem::discriminant(*set) == std::mem::discriminant(origin);
        match self.origins.get(other).filter(same_layer) {
            Some(set) => {
                let why = format!(
                    "domain and domains are the same option, and {other} is set at {set}; keep one"
                );
                Err(Problem::Conflict { why })
            }
            None => Ok(()),
        }
    }

    fn remember(&mut self, key: String, origin: Origin) {
        self.origins.insert(key, origin);
    }

    fn check(&mut self) {
        for conflict in checks::conflicts(&self.config) {
            let set = conflict.keys.iter().filter_map(|key| self.origins.get(key));
            let origin = set.max_by_key(|origin| strength(origin)).cloned();
            let origin = origin.unwrap_or(Origin::Default);
            self.errors.push(ConfigError {
                origin,
                problem: Problem::Conflict { why: conflict.why },
            });
        }
    }
}

/// Orders layers; in a file, the later line counts as the one to blame.
fn strength(origin: &Origin) -> (u8, usize) {
    match origin {
        Origin::Default => (0, 0),
        Origin::File { line, .. } => (1, *line),
        Origin::Environment { .. } => (2, 0),
        Origin::Set => (3, 0),
    }
}

fn refused<S>(key: String, option: &Opt<S>, raw: &Raw, why: String) -> Problem {
    Problem::NotAllowed {
        key,
        found: raw.shown(),
        why,
        allowed: option.allowed.clone(),
    }
}

fn no_option(key: &str, raw: &Raw) -> Problem {
    let (why, allowed) = match key {
        "endpoint" => ("is not a list of tables", "[[endpoint]] tables".to_owned()),
        section if is_section(section) => (
            "is no value for a section",
            format!("options such as {}", first_option(section)),
        ),
        _ => return unknown(key),
    };
    Problem::NotAllowed {
        key: key.to_owned(),
        found: raw.shown(),
        why: why.to_owned(),
        allowed,
    }
}

fn first_option(section: &str) -> &'static str {
    OPTIONS
        .iter()
        .find(|option| option.section() == section)
        .map_or("", |option| option.key)
}

fn unknown(key: &str) -> Problem {
    Problem::Unknown {
        key: key.to_owned(),
        nearest: nearest(key),
    }
}

/// The known key that looks most like `key`: by its whole, or by its last part if it was put into
/// the wrong section.
fn nearest(key: &str) -> Option<&'static str> {
    let keys = OPTIONS.iter().map(|option| option.key);
    let keys = keys.chain(ENDPOINT_OPTIONS.iter().map(|option| option.key));
    let scored = keys.map(|known| (likeness(known, key), known));
    let sections = OPTIONS
        .iter()
        .map(|option| option.section())
        .filter(|name| !name.is_empty());
    let scored = scored
        .chain(sections.map(|name| (strsim::normalized_damerau_levenshtein(name, key), name)));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= LIKENESS_MIN)
        .map(|(_, known)| known)
}

/// Below it a suggestion puzzles more than it helps.
const LIKENESS_MIN: f64 = 0.5;
/// A key of the right section is nearer than one of the same name elsewhere.
const WRONG_SECTION: f64 = 0.1;
/// A key that stops too early.
const BEGUN: f64 = 0.6;

fn likeness(known: &str, key: &str) -> f64 {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::normalized_damerau_levenshtein(known, key);
    let part = strsim::normalized_damerau_levenshtein(&last(known), &last(key)) - WRONG_SECTION;
    let begun = if known.starts_with(key) { BEGUN } else { 0.0 };
    whole.max(part).max(begun)
}
