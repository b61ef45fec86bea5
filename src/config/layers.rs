//! Where values come from: the file, the environment, the command line.
//!
//! Each layer is turned into steps, which know their origin; what they mean is for `load`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin, Problem};
use super::kinds::Raw;
use super::load::is_table;

/// Where to look for values, from the weakest layer to the strongest.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file. Relative paths in it start from its directory.
    pub file: Option<PathBuf>,
    /// Variables: `STANZAD_` and the key in capitals, two underscores for the dot, such as
    /// `STANZAD_SM__MAX_UNACKED`. Other variables are left alone.
    pub environment: Vec<(String, String)>,
    /// Arguments of `--set`: `key=value`.
    pub set: Vec<String>,
}

impl Sources {
    /// The file and the arguments given, and the environment of this process.
    pub fn of_process(file: Option<PathBuf>, set: Vec<String>) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let ours = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        let mut environment: Vec<_> = ours
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .collect();
        environment.sort();
        Self {
            file,
            environment,
            set,
        }
    }
}

/// One thing that a layer says.
#[derive(Debug)]
pub(super) enum Step {
    /// `key` has this value; relative paths in it start from `base`.
    Assign {
        key: Vec<String>,
        raw: Raw,
        origin: Origin,
        base: PathBuf,
    },
    /// From here on there are so many endpoints, each as by default.
    Endpoints { count: usize, origin: Origin },
    /// There is a tier of this name, whatever is said of it.
    Tier { name: String, origin: Origin },
}

/// The steps of one layer, and what could not be read of it.
pub(super) type Layer = (Vec<Step>, Vec<ConfigError>);

/// All layers, weakest first.
pub(super) fn read(sources: &Sources) -> Layer {
    let mut steps = Vec::new();
    let mut errors = Vec::new();
    let file = sources.file.as_deref().map(read_file).unwrap_or_default();
    for (layer, wrong) in [
        file,
        read_environment(&sources.environment),
        read_set(&sources.set),
    ] {
        steps.extend(layer);
        errors.extend(wrong);
    }
    (steps, errors)
}

const VARIABLE_PREFIX: &str = "STANZAD_";

/// Larger than any sensible file, small enough to read whatever the path turns out to be.
const FILE_MAX_BYTES: u64 = 1 << 20;

fn read_file(path: &Path) -> Layer {
    match read_text(path) {
        Ok(text) => parse_file(path, &text),
        Err(why) => {
            let origin = Origin::File {
                path: path.to_owned(),
                line: 1,
            };
            (
                Vec::new(),
                vec![ConfigError {
                    origin,
                    problem: Problem::Unreadable { why },
                }],
            )
        }
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(FILE_MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_MAX_BYTES {
        return Err(format!("it has more than {FILE_MAX_BYTES} bytes"));
    }
    Ok(text)
}

fn parse_file(path: &Path, text: &str) -> Layer {
    let (table, errors) = DeTable::parse_recoverable(text);
    let origin = |at: usize| Origin::File {
        path: path.to_owned(),
        line: line_of(text, at),
    };
    if !errors.is_empty() {
        let wrong = |error: toml::de::Error| ConfigError {
            origin: origin(error.span().map_or(0, |span| span.start)),
            problem: Problem::Syntax {
                why: one_line(error.message()),
            },
        };
        return (Vec::new(), errors.into_iter().map(wrong).collect());
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader {
        base,
        origin: &origin,
        steps: Vec::new(),
    };
    reader.table(&[], table.get_ref());
    (reader.steps, Vec::new())
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn one_line(message: &str) -> String {
    message
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join("; ")
}

fn read_environment(environment: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    for (variable, text) in environment {
        let Some(key) = key_of_variable(variable) else {
            continue;
        };
        let origin = Origin::Environment {
            variable: variable.clone(),
        };
        assign(&mut layer, key, text, origin);
    }
    layer
}

/// A variable with two underscores names a section, so it is meant for us whatever it says. One
/// without could be anybody's (`STANZAD_SERVICE_HOST` is set by a cluster, `STANZAD_LOG` is read
/// elsewhere): it is ours if it is an option, or so close to one that it must be a slip.
fn key_of_variable(variable: &str) -> Option<Vec<String>> {
    let key = variable.strip_prefix(VARIABLE_PREFIX)?.to_ascii_lowercase();
    let parts: Vec<String> = key.split("__").map(str::to_owned).collect();
    (parts.len() > 1 || super::load::resembles_a_top_option(&key)).then_some(parts)
}

fn read_set(arguments: &[String]) -> Layer {
    let mut layer = Layer::default();
    for argument in arguments {
        match argument.split_once('=') {
            Some((key, text)) => {
                let key = key.trim().split('.').map(str::to_owned).collect();
                assign(&mut layer, key, text.trim(), Origin::Set);
            }
            None => layer.1.push(ConfigError {
                origin: Origin::Set,
                problem: Problem::NoAssignment {
                    argument: argument.clone(),
                },
            }),
        }
    }
    layer
}

/// A bare word takes the type of its option; what begins like TOML is TOML.
fn assign((steps, errors): &mut Layer, key: Vec<String>, text: &str, origin: Origin) {
    let base = PathBuf::new();
    if !text.starts_with(['"', '\'', '[', '{']) || is_ipv6(text) {
        return steps.push(Step::Assign {
            key,
            raw: Raw::Word(text.to_owned()),
            origin,
            base,
        });
    }
    match DeValue::parse(text) {
        Ok(value) => {
            let mut reader = Reader {
                base: &base,
                origin: &|_| origin.clone(),
                steps: Vec::new(),
            };
            reader.value(&key, 0, value.get_ref());
            steps.extend(reader.steps);
        }
        Err(error) => {
            let why = format!("{}: {}", key.join("."), one_line(error.message()));
            errors.push(ConfigError {
                origin,
                problem: Problem::Syntax { why },
            });
        }
    }
}

/// `[::]:5281` begins like a list and is an address.
fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::SocketAddrV6>().is_ok()
}

/// Turns TOML into steps.
struct Reader<'a> {
    base: &'a Path,
    /// From the offset of a value in its text.
    origin: &'a dyn Fn(usize) -> Origin,
    steps: Vec<Step>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &[String], table: &DeTable<'_>) {
        // The parser sorts by key; errors are told in the order of the file.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (name, value) in entries {
            let mut key = prefix.to_vec();
            key.push(name.get_ref().to_string());
            self.value(&key, name.span().start, value.get_ref());
        }
    }

    fn value(&mut self, key: &[String], at: usize, value: &DeValue<'_>) {
        if let ([tier, name], DeValue::Table(_)) = (key, value)
            && tier == "tier"
        {
            let (name, origin) = (name.clone(), (self.origin)(at));
            self.steps.push(Step::Tier { name, origin });
        }
        match (key, value) {
            (_, DeValue::Table(table)) if is_table(key) => self.table(key, table),
            ([name], DeValue::Array(items)) if name == "endpoint" => self.endpoints(key, at, items),
            _ => self.assign(key, at, raw_of(value)),
        }
    }

    fn endpoints(&mut self, key: &[String], at: usize, items: &toml::de::DeArray<'_>) {
        let origin = (self.origin)(at);
        self.steps.push(Step::Endpoints {
            count: items.len(),
            origin,
        });
        for (index, item) in items.iter().enumerate() {
            let key = [key, &[index.to_string()]].concat();
            match item.get_ref() {
                DeValue::Table(table) => self.table(&key, table),
                other => self.assign(&key, item.span().start, raw_of(other)),
            }
        }
    }

    fn assign(&mut self, key: &[String], at: usize, raw: Raw) {
        let (origin, base) = ((self.origin)(at), self.base.to_owned());
        self.steps.push(Step::Assign {
            key: key.to_vec(),
            raw,
            origin,
            base,
        });
    }
}

fn raw_of(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix());
            parsed.map_or(Raw::Other("a huge number"), Raw::Integer)
        }
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Array(items) => {
            Raw::List(items.iter().map(|item| raw_of(item.get_ref())).collect())
        }
        DeValue::Float(_) => Raw::Other("a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}
