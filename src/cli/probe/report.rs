//! The steps in print.

use std::fmt::Display;
use std::future::Future;
use std::io::Write;
use std::time::{Duration, Instant};

use super::target::Target;
use crate::cli::Failure;
use crate::config::filled;

/// A step that went well.
pub(super) struct Done<T> {
    pub value: T,
    /// What was found, in a few words.
    pub detail: String,
    /// What a browser would put up with and an operator should know.
    pub warnings: Vec<String>,
}

impl<T> Done<T> {
    pub fn new(value: T, detail: impl Into<String>) -> Self {
        Self {
            value,
            detail: detail.into(),
            warnings: Vec::new(),
        }
    }
}

/// A step that failed: what was seen, and what to do.
#[derive(Debug)]
pub(super) struct Trouble {
    pub what: String,
    pub advice: String,
}

impl Trouble {
    pub fn new(what: impl Display, advice: impl Into<String>) -> Self {
        Self {
            what: what.to_string(),
            advice: advice.into(),
        }
    }
}

/// Prints each step as it ends.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    /// The longest that one step may take.
    limit: Duration,
    started: Instant,
}

impl<'a> Report<'a> {
    pub fn new(out: &'a mut dyn Write, limit: Duration) -> Self {
        Self {
            out,
            limit,
            started: Instant::now(),
        }
    }

    pub fn title(&mut self, target: &Target) {
        self.line(&format!("{}  (domain {})", target.url, target.domain));
    }

    /// Runs a step and prints it. `slow` is the advice if it takes too long.
    pub async fn step<T>(
        &mut self,
        name: &str,
        slow: &str,
        work: impl Future<Output = Result<Done<T>, Trouble>>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let outcome = tokio::time::timeout(self.limit, work)
            .await
            .unwrap_or_else(|_| {
                let limit = crate::config::format_duration(self.limit);
                Err(Trouble::new(format!("no end after {limit}"), slow))
            });
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        let print = |sign, text: &str| format!("  {sign} {name:<12} {millis:>8.1} ms   {text}");
        match outcome {
            Ok(done) => {
                self.line(&print('✓', &done.detail));
                done.warnings
                    .iter()
                    .for_each(|warning| self.line(&format!("      ! {warning}")));
                Ok(done.value)
            }
            Err(trouble) => {
                self.line(&print('✗', &trouble.what));
                self.advice(&trouble.advice);
                Err(Failure::Told)
            }
        }
    }

    pub fn done(&mut self) {
        let millis = self.started.elapsed().as_secs_f64() * 1000.0;
        self.line(&format!(
            "  all is well: a client can log in here ({millis:.0} ms)"
        ));
    }

    fn advice(&mut self, advice: &str) {
        for line in advice.lines() {
            self.line(&filled(line, "        ").replacen("        ", "      → ", 1));
        }
    }

    /// Whoever stops reading (`| head`) still gets the exit code.
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }
}
