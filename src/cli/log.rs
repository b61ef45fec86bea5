//! The log: lines for eyes on a terminal, JSON for machines, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::Failure;
use crate::config::{Log, LogFormat};

/// The variable that goes before `log.level`, in the form of tracing:
/// `info,stanzad::stream=trace`.
pub const LOG_VARIABLE: &str = "STANZAD_LOG";

/// Changes the level while the log is running.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Takes over the level of changed options; the variable still goes before it.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] if the variable is no filter. The log then goes on as it was.
    pub fn reload(&self, log: &Log) -> Result<(), Failure> {
        let filter = filter(log, variable().as_deref())?;
        self.0
            .reload(filter)
            .map_err(|error| Failure::Failed(format!("log: {error}")))
    }
}

/// Starts the log of this process.
///
/// # Errors
///
/// [`Failure::Usage`] if the variable is no filter, [`Failure::Failed`] if a log has been started
/// before.
pub fn start(log: &Log) -> Result<LogHandle, Failure> {
    let (filter, handle) = reload::Layer::new(filter(log, variable().as_deref())?);
    let json = is_json(log.format, std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    registry
        .with(lines(json))
        .try_init()
        .map_err(|error| Failure::Failed(format!("log: {error}")))?;
    Ok(LogHandle(handle))
}

fn variable() -> Option<String> {
    std::env::var(LOG_VARIABLE)
        .ok()
        .filter(|text| !text.is_empty())
}

fn filter(log: &Log, variable: Option<&str>) -> Result<EnvFilter, Failure> {
    let text = variable.map_or_else(|| log.level.to_string(), str::to_owned);
    let wrong = |error: ParseError| Failure::Usage(format!("{LOG_VARIABLE}={text}: {error}"));
    EnvFilter::builder().parse(&text).map_err(wrong)
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !terminal,
    }
}

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

fn lines<S>(json: bool) -> Lines<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_span_events(FmtSpan::NONE);
    if json {
        lines.json().flatten_event(true).with_ansi(false).boxed()
    } else {
        lines.with_target(false).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;

    #[test]
    fn the_level_of_the_options_is_the_filter() {
        let log = Log {
            level: LogLevel::Debug,
            ..Log::default()
        };
        assert_eq!(filter(&log, None).unwrap().to_string(), "debug");
    }

    #[test]
    fn the_variable_goes_before_the_level() {
        let filter = filter(&Log::default(), Some("warn,stanzad::stream=trace")).unwrap();
        assert!(filter.to_string().contains("stanzad::stream=trace"));
    }

    #[test]
    fn a_variable_that_is_no_filter_is_a_usage_error_that_names_it() {
        let failure = filter(&Log::default(), Some("stanzad=loud")).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(
            failure
                .to_string()
                .starts_with("STANZAD_LOG=stanzad=loud: "),
            "{failure}"
        );
    }

    #[test]
    fn auto_is_human_on_a_terminal_only() {
        assert!(!is_json(LogFormat::Auto, true));
        assert!(is_json(LogFormat::Auto, false));
        assert!(is_json(LogFormat::Json, true));
        assert!(!is_json(LogFormat::Human, false));
    }
}
