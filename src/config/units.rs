//! Durations, sizes and rates as an operator writes them: `"25s"`, `"256KiB"`, `"5000/1m"`.

use std::time::Duration;

use super::types::RateLimit;

/// Seconds, minutes, hours and days for declarations, so that a range reads as it is printed.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) const fn minutes(count: u64) -> Duration {
    seconds(count * 60)
}

pub(crate) const fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

pub(crate) const fn days(count: u64) -> Duration {
    hours(count * 24)
}

/// 1024 bytes, and 1024 of those.
pub(crate) const KIB: usize = 1024;
pub(crate) const MIB: usize = 1024 * KIB;

/// Largest first: a value is written in the largest unit that divides it.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
///
/// A sentence that ends "is not a duration …", to be put after what was written.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (count, unit) = split_number(text);
    let count: u64 = count.parse().map_err(|_| duration_hint())?;
    if unit.is_empty() && count == 0 {
        return Ok(Duration::ZERO);
    }
    let (_, millis) = DURATION_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(duration_hint)?;
    count
        .checked_mul(*millis)
        .map(Duration::from_millis)
        .ok_or_else(|| "is too long".to_owned())
}

/// Writes a duration so that [`parse_duration`] reads the same; below a millisecond it rounds down.
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    in_largest_unit(millis, &DURATION_UNITS)
}

/// Reads a size in bytes: a whole number, alone or with one of `B`, `KiB`, `MiB`, `GiB`.
///
/// # Errors
///
/// A sentence that ends "is not a size …", to be put after what was written.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let (count, unit) = split_number(text);
    let count: u64 = count.parse().map_err(|_| size_hint())?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, bytes) = SIZE_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(size_hint)?;
    count
        .checked_mul(*bytes)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| "is too large".to_owned())
}

/// Writes a size so that [`parse_size`] reads the same.
pub fn format_size(bytes: usize) -> String {
    in_largest_unit(bytes as u64, &SIZE_UNITS)
}

/// Reads a rate in things that are counted: a whole number, a slash and a duration, `"5000/1m"`.
///
/// # Errors
///
/// A sentence that ends "is not a rate …", to be put after what was written.
pub fn parse_count_rate(text: &str) -> Result<RateLimit, String> {
    parse_rate(text, |count| {
        // `parse` would take a sign, too.
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| count.parse().ok()).flatten()
    })
    .ok_or_else(|| rate_hint("whole number", "5000/1m"))
}

/// Reads a rate in bytes: a size, a slash and a duration, `"5MiB/1m"`.
///
/// # Errors
///
/// A sentence that ends "is not a rate …", to be put after what was written.
pub fn parse_size_rate(text: &str) -> Result<RateLimit, String> {
    parse_rate(text, |size| parse_size(size).ok().map(|size| size as u64))
        .ok_or_else(|| rate_hint("size", "5MiB/1m"))
}

fn parse_rate(text: &str, amount: impl Fn(&str) -> Option<u64>) -> Option<RateLimit> {
    let (before, after) = text.split_once('/')?;
    let per = parse_duration(after.trim()).ok()?;
    let amount = amount(before.trim())?;
    Some(RateLimit { amount, per })
}

/// Writes a rate so that [`parse_count_rate`] reads the same.
pub fn format_count_rate(rate: RateLimit) -> String {
    format!("{}/{}", rate.amount, format_duration(rate.per))
}

/// Writes a rate so that [`parse_size_rate`] reads the same.
pub fn format_size_rate(rate: RateLimit) -> String {
    let amount = in_largest_unit(rate.amount, &SIZE_UNITS);
    format!("{amount}/{}", format_duration(rate.per))
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(end);
    (count, unit.trim_start())
}

fn in_largest_unit(value: u64, units: &[(&str, u64)]) -> String {
    let fitting = units
        .iter()
        .find(|(_, unit)| value >= *unit && value.is_multiple_of(*unit));
    fitting.map_or_else(
        || value.to_string(),
        |(name, unit)| format!("{}{name}", value / unit),
    )
}

fn duration_hint() -> String {
    "is not a duration (a whole number and ms, s, m, h or d, such as \"25s\")".to_owned()
}

fn size_hint() -> String {
    "is not a size (bytes, or a whole number and KiB, MiB or GiB, such as \"256KiB\")".to_owned()
}

fn rate_hint(amount: &str, example: &str) -> String {
    format!("is not a rate (a {amount}, a slash and a duration, such as \"{example}\")")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        let written = ["500ms", "25s", "10m", "1h", "2d", "0", "7 s"];
        let millis = [500, 25_000, 600_000, 3_600_000, 172_800_000, 0, 7000];
        for (text, millis) in written.into_iter().zip(millis) {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_are_read_in_every_unit_and_as_plain_bytes() {
        let written = ["10000", "512B", "256KiB", "5MiB", "1GiB", "10 KiB"];
        let bytes = [10_000, 512, 262_144, 5_242_880, 1 << 30, 10_240];
        for (text, bytes) in written.into_iter().zip(bytes) {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_duration_without_a_unit_or_with_a_fraction_is_refused() {
        for text in ["25", "", "s", "1.5h", "-1s", "10 minutes", "1h30m", "+5s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_decimal_or_misspelt_size_unit_is_refused() {
        for text in ["", "KiB", "256KB", "256k", "-1", "1.5MiB", "0x10"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_past_the_machine_is_too_long_or_too_large_not_a_wrap() {
        assert_eq!(
            parse_duration("213503982335d"),
            Err("is too long".to_owned())
        );
        assert_eq!(
            parse_size("18446744073709551615GiB"),
            Err("is too large".to_owned())
        );
    }

    fn rate(amount: u64, seconds: u64) -> RateLimit {
        RateLimit {
            amount,
            per: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn rates_are_read_in_every_unit() {
        assert_eq!(parse_count_rate("5000/1m"), Ok(rate(5000, 60)));
        assert_eq!(parse_count_rate("5 / 1 s"), Ok(rate(5, 1)));
        assert_eq!(parse_size_rate("5MiB/1m"), Ok(rate(5 << 20, 60)));
        assert_eq!(parse_size_rate("1000/1h"), Ok(rate(1000, 3600)));
    }

    #[test]
    fn a_rate_without_its_time_or_its_amount_is_refused() {
        for text in [
            "5000", "5000/", "/1m", "5000/m", "+5/1s", "5/1m/1s", "", "1.5/1s",
        ] {
            assert!(parse_count_rate(text).is_err(), "{text}");
            assert!(parse_size_rate(text).is_err(), "{text}");
        }
        assert!(parse_count_rate("5KiB/1s").is_err());
    }

    proptest! {
        #[test]
        fn every_rate_that_is_written_is_read_again(amount in any::<u32>(), millis in 0u64..10_000_000_000) {
            let rate = RateLimit {
                amount: amount.into(),
                per: Duration::from_millis(millis),
            };
            prop_assert_eq!(parse_count_rate(&format_count_rate(rate)), Ok(rate));
            prop_assert_eq!(parse_size_rate(&format_size_rate(rate)), Ok(rate));
        }

        #[test]
        fn every_duration_that_is_written_is_read_again(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn every_size_that_is_written_is_read_again(bytes in any::<u32>()) {
            let bytes = bytes as usize;
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,20}") {
            let _ = (parse_duration(&text), parse_size(&text));
            let _ = (parse_count_rate(&text), parse_size_rate(&text));
        }
    }
}
