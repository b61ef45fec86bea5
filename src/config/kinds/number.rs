//! Switches, counts, sizes, durations and rates.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Given, Kind, Raw, quoted};
use crate::config::types::RateLimit;
use crate::config::units::{
    days, format_count_rate, format_duration, format_size, format_size_rate, parse_count_rate,
    parse_duration, parse_size, parse_size_rate, seconds,
};

/// `true` or `false`.
pub(crate) fn switch() -> Switch {
    Switch
}

pub(crate) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn type_name(&self) -> String {
        "switch".into()
    }

    fn allowed(&self) -> String {
        "true or false".into()
    }

    fn read(&self, given: Given<'_>) -> Result<bool, String> {
        match given.raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Word(word) => word.parse().map_err(|_| "is neither true nor false".into()),
            _ => Err("is neither true nor false".into()),
        }
    }

    fn write(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// A whole number of `unit` within `range`.
pub(crate) fn count<T>(range: RangeInclusive<T>, unit: &'static str) -> Count<T> {
    Count { range, unit }
}

pub(crate) struct Count<T> {
    range: RangeInclusive<T>,
    unit: &'static str,
}

impl<T> Kind for Count<T>
where
    T: Copy + PartialOrd + Display + TryFrom<i128> + Send + Sync + 'static,
{
    type Value = T;

    fn type_name(&self) -> String {
        format!("count of {}", self.unit)
    }

    fn allowed(&self) -> String {
        format!("{} to {}", self.range.start(), self.range.end())
    }

    fn read(&self, given: Given<'_>) -> Result<T, String> {
        let number = match given.raw {
            Raw::Integer(number) => Some(*number),
            Raw::Word(word) => word.parse().ok(),
            _ => None,
        };
        let number = number.ok_or("is not a whole number")?;
        within(&self.range, T::try_from(number).ok())
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }
}

/// A number of bytes within `range`.
pub(crate) fn size(range: RangeInclusive<usize>) -> Size {
    Size(range)
}

pub(crate) struct Size(RangeInclusive<usize>);

impl Kind for Size {
    type Value = usize;

    fn type_name(&self) -> String {
        "size in bytes".into()
    }

    fn allowed(&self) -> String {
        format!(
            "{} to {}",
            format_size(*self.0.start()),
            format_size(*self.0.end())
        )
    }

    fn read(&self, given: Given<'_>) -> Result<usize, String> {
        let bytes = match given.raw {
            Raw::Text(text) | Raw::Word(text) => Some(parse_size(text)?),
            Raw::Integer(bytes) => usize::try_from(*bytes).ok(),
            _ => return parse_size("").map_err(|why| why.to_string()),
        };
        within(&self.0, bytes)
    }

    fn write(&self, value: &usize) -> Option<String> {
        Some(match format_size(*value) {
            text if text.ends_with("iB") => quoted(&text),
            _ => value.to_string(),
        })
    }
}

/// A duration within `range`.
pub(crate) fn span(range: RangeInclusive<Duration>) -> Span {
    Span {
        range,
        whole_seconds: false,
    }
}

/// A duration within `range` that the protocol carries as a number of seconds.
pub(crate) fn whole_seconds(range: RangeInclusive<Duration>) -> Span {
    Span {
        range,
        whole_seconds: true,
    }
}

pub(crate) struct Span {
    range: RangeInclusive<Duration>,
    whole_seconds: bool,
}

impl Kind for Span {
    type Value = Duration;

    fn type_name(&self) -> String {
        "duration".into()
    }

    fn allowed(&self) -> String {
        let (start, end) = (
            format_duration(*self.range.start()),
            format_duration(*self.range.end()),
        );
        let grain = if self.whole_seconds {
            ", whole seconds"
        } else {
            ""
        };
        format!("{start} to {end}{grain}")
    }

    fn read(&self, given: Given<'_>) -> Result<Duration, String> {
        let duration = match given.raw {
            Raw::Integer(number) => parse_duration(&number.to_string())?,
            raw => parse_duration(raw.text().unwrap_or_default())?,
        };
        if self.whole_seconds && duration.subsec_millis() != 0 {
            return Err("is not a whole number of seconds".into());
        }
        within(&self.range, Some(duration))
    }

    fn write(&self, value: &Duration) -> Option<String> {
        Some(quoted(&format_duration(*value)))
    }
}

fn within<T: PartialOrd>(range: &RangeInclusive<T>, value: Option<T>) -> Result<T, String> {
    value
        .filter(|value| range.contains(value))
        .ok_or_else(|| "is out of range".into())
}

/// A rate in things that are counted, such as "5000/1m".
pub(crate) fn count_rate(unit: &'static str, amounts: RangeInclusive<u64>) -> RateOf {
    RateOf {
        unit,
        amounts,
        parse: parse_count_rate,
        format: format_count_rate,
    }
}

/// A rate in bytes, such as "5MiB/1m".
pub(crate) fn size_rate(amounts: RangeInclusive<u64>) -> RateOf {
    RateOf {
        unit: "bytes",
        amounts,
        parse: parse_size_rate,
        format: format_size_rate,
    }
}

pub(crate) struct RateOf {
    unit: &'static str,
    amounts: RangeInclusive<u64>,
    parse: fn(&str) -> Result<RateLimit, String>,
    format: fn(RateLimit) -> String,
}

/// The time that a rate may be counted over.
const RATE_PER: RangeInclusive<Duration> = seconds(1)..=days(1);

impl Kind for RateOf {
    type Value = RateLimit;

    fn type_name(&self) -> String {
        format!("rate in {}", self.unit)
    }

    fn allowed(&self) -> String {
        let rate = |amount: u64, per: Duration| quoted(&(self.format)(RateLimit { amount, per }));
        format!(
            "{} to {}",
            rate(*self.amounts.start(), *RATE_PER.end()),
            rate(*self.amounts.end(), *RATE_PER.start())
        )
    }

    fn read(&self, given: Given<'_>) -> Result<RateLimit, String> {
        let rate = (self.parse)(given.raw.text().unwrap_or_default())?;
        within(&RATE_PER, Some(rate.per))?;
        within(&self.amounts, Some(rate.amount))?;
        Ok(rate)
    }

    fn write(&self, value: &RateLimit) -> Option<String> {
        Some(quoted(&(self.format)(*value)))
    }
}
