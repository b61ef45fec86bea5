//! What is wrong with the options, told to the operator.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In a file.
    File {
        /// The file, as it was named to us.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// In a variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
    /// In a `--set` of the command line.
    Set,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => f.write_str(variable),
            Self::Set => f.write_str("--set"),
        }
    }
}

/// One thing that is wrong with the options. Always the operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct ConfigError {
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {why}")]
    Unreadable {
        /// What the system says, or that it is too large.
        why: String,
    },
    /// The file, or a value given as TOML, is no TOML.
    #[error("{why}")]
    Syntax {
        /// What the parser says.
        why: String,
    },
    /// A `--set` without "=".
    #[error("{argument:?} is not key=value, as in --set sm.enabled=false")]
    NoAssignment {
        /// What was given.
        argument: String,
    },
    /// There is no such option.
    #[error("there is no option {key}{}", suggestion(.nearest))]
    Unknown {
        /// The key as it was written.
        key: String,
        /// The known key that looks most like it, unless none does.
        nearest: Option<&'static str>,
    },
    /// The value has the wrong type or is out of range.
    #[error("{key} = {found} {why}; allowed: {allowed}")]
    NotAllowed {
        /// The full key.
        key: String,
        /// What was written.
        found: String,
        /// Why it is not allowed, as the end of a sentence.
        why: String,
        /// What is.
        allowed: String,
    },
    /// Values that are allowed alone and not together.
    #[error("{why}")]
    Conflict {
        /// A sentence with each of the keys and what to do.
        why: String,
    },
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean {key}?"),
        None => "; `stanzad config reference` lists them all".to_owned(),
    }
}

/// Everything that is wrong with the options, at least one thing, in the order of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    /// One line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            let line_break = if number == 0 { "" } else { "\n" };
            write!(f, "{line_break}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
