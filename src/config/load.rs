//! From what was written to a `Config`: every step is tried, every error is kept.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::checks;
use super::error::{ConfigError, ConfigErrors, Origin, Problem};
use super::kinds::{Given, NAME_ALLOWED, Raw, is_name};
use super::layers::{self, Sources, Step};
use super::option::Opt;
use super::{Config, Endpoint, Tier};

/// The options outside `[[endpoint]]` and `[tier.NAME]`, in the order of the reference.
pub(super) static OPTIONS: LazyLock<Vec<Opt<Config>>> = LazyLock::new(|| {
    let mut options = vec![super::sections::domain_option()];
    options.extend(Config::options());
    options
});

/// The options of one `[[endpoint]]`.
pub(super) static ENDPOINT_OPTIONS: LazyLock<Vec<Opt<Endpoint>>> = LazyLock::new(Endpoint::options);

/// The options of one `[tier.NAME]`.
pub(super) static TIER_OPTIONS: LazyLock<Vec<Opt<Tier>>> = LazyLock::new(Tier::options);

/// Of `[[endpoint]]` tables.
pub(super) const ENDPOINTS_MAX: usize = 64;

/// Of `[tier.NAME]` tables.
pub(super) const TIERS_MAX: usize = 64;

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
fn is_section(name: &str) -> bool {
    OPTIONS.iter().any(|option| option.section() == name) && !name.is_empty()
}

/// There are options below `key`, so a table may stand there.
pub(super) fn is_table(key: &[String]) -> bool {
    match key {
        [tier] | [tier, _] if tier == "tier" => true,
        [endpoint, _, part] if endpoint == "endpoint" => {
            let section = format!("endpoint.{part}");
            ENDPOINT_OPTIONS
                .iter()
                .any(|option| option.section() == section)
        }
        _ => is_section(&key.join(".")),
    }
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
            Step::Tier { name, origin } => match self.tier(&name) {
                Ok(_) => self.remember(format!("tier.{name}"), origin),
                Err(problem) => self.errors.push(ConfigError { origin, problem }),
            },
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
        match key {
            [table, index, name @ ..] if table == "endpoint" && !name.is_empty() => {
                return self.set_endpoint(index, &name.join("."), given);
            }
            [table, name @ .., option] if table == "tier" && !name.is_empty() => {
                return self.set_tier(&name.join("."), option, given);
            }
            _ => {}
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
        let known = format!("endpoint.{name}");
        let option = ENDPOINT_OPTIONS.iter().find(|option| option.key == known);
        let option = option.ok_or_else(|| unknown(&known))?;
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

    fn set_tier(&mut self, name: &str, option: &str, given: Given<'_>) -> Result<(), Problem> {
        let full = format!("tier.{name}.{option}");
        let known = format!("tier.{option}");
        let option = TIER_OPTIONS.iter().find(|option| option.key == known);
        let option = option.ok_or_else(|| unknown(&known))?;
        let tier = self.tier(name)?;
        option
            .set(tier, given)
            .map_err(|why| refused(full, option, given.raw, why))
    }

    /// The tier of this name, made if there is none yet.
    fn tier(&mut self, name: &str) -> Result<&mut Tier, Problem> {
        // As a value of `endpoint.tier`, "none" is no name.
        if !is_name(name) || name == "none" {
            return Err(Problem::NotAllowed {
                key: "tier".to_owned(),
                found: format!("{name:?}"),
                why: "is not the name of a tier".to_owned(),
                allowed: format!("{NAME_ALLOWED}, and not \"none\""),
            });
        }
        let tiers = &mut self.config.tiers;
        if tiers.len() == TIERS_MAX && !tiers.contains_key(name) {
            let why = format!("tier.{name} is one tier too many; allowed: {TIERS_MAX}");
            return Err(Problem::Conflict { why });
        }
        Ok(tiers.entry(name.to_owned()).or_default())
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

pub(super) fn refused<S>(key: String, option: &Opt<S>, raw: &Raw, why: String) -> Problem {
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
        "tier" => ("is not a table", "[tier.NAME] tables".to_owned()),
        tier if tier.starts_with("tier.") => {
            ("is not a table", format!("options such as {tier}.stanzas"))
        }
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

pub(super) fn unknown(key: &str) -> Problem {
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
    let keys = keys.chain(TIER_OPTIONS.iter().map(|option| option.key));
    let scored = keys.map(|known| (likeness(known, key), known));
    let sections = OPTIONS
        .iter()
        .map(|option| option.section())
        .filter(|name| !name.is_empty())
        .chain(["endpoint", "tier"]);
    let scored = scored
        .chain(sections.map(|name| (strsim::normalized_damerau_levenshtein(name, key), name)));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= LIKENESS_MIN)
        .map(|(_, known)| known)
}

/// The one of `names` that looks most like `name`, unless none does.
pub(super) fn most_like<'a>(
    names: impl Iterator<Item = &'a String>,
    name: &str,
) -> Option<&'a String> {
    let scored = names.map(|known| (strsim::normalized_damerau_levenshtein(known, name), known));
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
