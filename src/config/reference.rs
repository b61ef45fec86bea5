//! The options in print: the reference, the sample file, the values in force.

use std::fmt::Write as _;

use super::load::{ENDPOINT_OPTIONS, OPTIONS, TIER_OPTIONS};
use super::option::{Heading, Opt};
use super::{Config, Endpoint, Tier};

/// The form of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For `docs/configuration.md`.
    Markdown,
    /// A configuration file with every option at its default, each line with an option commented out.
    Sample,
}

/// Every option: key, type, unit, range, default, when a change takes effect, and what it does.
pub fn reference(format: Format) -> String {
    let mut out = match format {
        Format::Text => String::new(),
        Format::Markdown => MARKDOWN_HEAD.to_owned(),
        Format::Sample => SAMPLE_HEAD.to_owned(),
    };
    for section in sections() {
        section.heading(&mut out, format);
        for option in &section.options {
            option.print(&mut out, format);
        }
    }
    out
}

/// The values in force, as a file that gives the same values again.
///
/// A relative path is printed as seen from the working directory. What differs from its default
/// says so. There is no option whose value is a secret: keys and
/// passwords stand in files of their own, and of those only the paths are options.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    for heading in Config::headings() {
        show_heading(&mut out, &heading);
        let options = OPTIONS
            .iter()
            .filter(|option| option.section() == heading.section);
        options.for_each(|option| show_option(&mut out, option, heading.section, config));
    }
    for (name, tier) in &config.tiers {
        // A dot would begin a table in the table.
        let _ = match name.contains('.') {
            true => writeln!(out, "\n[tier.{name:?}]"),
            false => writeln!(out, "\n[tier.{name}]"),
        };
        TIER_OPTIONS
            .iter()
            .for_each(|option| show_option(&mut out, option, "tier", tier));
    }
    for endpoint in &config.endpoints {
        out.push_str("\n[[endpoint]]\n");
        ENDPOINT_OPTIONS
            .iter()
            .for_each(|option| show_option(&mut out, option, "endpoint", endpoint));
    }
    if config.endpoints.is_empty() {
        out.insert_str(0, "endpoint = []\n");
    }
    out
}

fn show_heading(out: &mut String, heading: &Heading) {
    if !heading.section.is_empty() {
        let _ = writeln!(out, "\n[{}]", heading.section);
    }
}

fn show_option<S>(out: &mut String, option: &Opt<S>, table: &str, section: &S) {
    let Some(value) = option.get(section).or_else(|| option.absent.clone()) else {
        return;
    };
    let name = option.name_within(table);
    let default = default_of(option);
    let _ = match default {
        Some(default) if default != value => {
            writeln!(out, "{name} = {value}  # default: {default}")
        }
        _ => writeln!(out, "{name} = {value}"),
    };
}

fn default_of<S>(option: &Opt<S>) -> Option<String> {
    option.default.clone().or_else(|| option.absent.clone())
}

/// A section as the reference prints it; `[[endpoint]]` and `[tier.NAME]` are two of them.
struct Section {
    title: String,
    /// How it begins in the sample file.
    sample: String,
    doc: String,
    options: Vec<Entry>,
}

/// An option as the reference prints it.
struct Entry {
    key: &'static str,
    name: &'static str,
    doc: Vec<String>,
    type_name: String,
    allowed: String,
    default: String,
    example: String,
    effect: &'static str,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Config::headings().iter().map(section_of).collect();
    let tables = ["[tier.NAME]", "#[tier.gold]"];
    sections.extend(table_of("tier", tables, &Tier::headings(), &TIER_OPTIONS));
    // Without options of its own an [[endpoint]] would still take the place of the default.
    let tables = ["[[endpoint]]", "#[[endpoint]]"];
    let headings = Endpoint::headings();
    sections.extend(table_of("endpoint", tables, &headings, &ENDPOINT_OPTIONS));
    sections
}

/// A table of which there may be several, with all that is in it.
fn table_of<S>(
    table: &str,
    [title, sample]: [&str; 2],
    headings: &[Heading],
    options: &[Opt<S>],
) -> Option<Section> {
    Some(Section {
        title: title.to_owned(),
        sample: sample.to_owned(),
        doc: joined(headings.first()?.doc),
        options: options
            .iter()
            .map(|option| Entry::of(option, table))
            .collect(),
    })
}

fn section_of(heading: &Heading) -> Section {
    let title = match heading.section {
        "" => String::new(),
        section => format!("[{section}]"),
    };
    let own = OPTIONS
        .iter()
        .filter(|option| option.section() == heading.section);
    Section {
        sample: title.clone(),
        title,
        doc: joined(heading.doc),
        options: own
            .map(|option| Entry::of(option, heading.section))
            .collect(),
    }
}

impl Section {
    fn heading(&self, out: &mut String, format: Format) {
        let Self {
            title, sample, doc, ..
        } = self;
        let _ = match format {
            Format::Text if title.is_empty() => writeln!(out, "{}", filled(doc, "")),
            Format::Text => writeln!(out, "\n{title}\n{}", filled(doc, "")),
            Format::Markdown if title.is_empty() => writeln!(out, "\n## At the top\n\n{doc}"),
            Format::Markdown => writeln!(out, "\n## `{title}`\n\n{doc}"),
            Format::Sample if title.is_empty() => writeln!(out, "\n{}", filled(doc, "# ")),
            Format::Sample => writeln!(out, "\n\n{}\n{sample}", filled(doc, "# ")),
        };
    }
}

impl Entry {
    fn of<S>(option: &Opt<S>, table: &str) -> Self {
        let default = default_of(option);
        let example = option.example.clone().or_else(|| default.clone());
        Self {
            key: option.key,
            name: option.name_within(table),
            doc: option
                .doc
                .iter()
                .map(|line| line.trim().to_owned())
                .collect(),
            type_name: option.type_name.clone(),
            allowed: option.allowed.clone(),
            default: default.unwrap_or_else(|| "none".to_owned()),
            example: example.unwrap_or_default(),
            effect: option.effect.sentence(),
        }
    }

    fn print(&self, out: &mut String, format: Format) {
        let Self {
            key,
            name,
            type_name,
            allowed,
            default,
            example,
            effect,
            ..
        } = self;
        let doc = self.doc.join(" ");
        let _ = match format {
            Format::Text => writeln!(
                out,
                "\n  {key} = {default}\n{}\n{}\n{}",
                filled(&format!("{type_name}: {allowed}"), "      "),
                filled(&format!("takes effect on {effect}"), "      "),
                filled(&doc, "      "),
            ),
            Format::Markdown => writeln!(
                out,
                "\n### `{key}`\n\n{doc}\n\n- Value ({type_name}): {allowed}\n\
                 - Default: `{default}`\n- Takes effect on {effect}",
            ),
            Format::Sample => writeln!(
                out,
                "\n{}\n{}\n#{name} = {example}",
                filled(&doc, "# "),
                filled(
                    &format!("{}: {allowed}. Default: {default}.", capitalised(type_name)),
                    "# "
                ),
            ),
        };
    }
}

const LINE_WIDTH: usize = 96;

/// `text` in lines of [`LINE_WIDTH`], each with `indent` in front; the last one ends without a break.
pub(crate) fn filled(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > indent.len() && line + 1 + word.chars().count() > LINE_WIDTH {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            let space = if line.len() > indent.len() { " " } else { "" };
            let _ = write!(line, "{space}{word}");
        }
    }
    lines.join("\n")
}

fn joined(doc: &[&str]) -> String {
    doc.iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

const MARKDOWN_HEAD: &str = r##"# Configuration

Every option has a default, so `stanzad serve` runs without any of them. This page is printed by
`stanzad config reference --markdown`, and [stanzad.sample.toml](stanzad.sample.toml) by
`stanzad config reference --sample`.

An option is set, each way stronger than the one before it,

1. in the TOML file that `--config FILE` names, or else the variable `STANZAD_CONFIG`,
2. in the environment: `STANZAD_` and the key in capitals, with two underscores for the dot, such as
   `STANZAD_SM__ENABLED=false`, or `STANZAD_ENDPOINT__0__PATH=/chat/` for the first endpoint, or
   `STANZAD_TIER__GOLD__STANZAS=5000/1m` for the tier of the name `gold`,
3. on the command line: `--set sm.enabled=false`, as often as need be.

A key that is not known, a value of the wrong type or out of its range, and values that do not go
together are errors; `stanzad config check` finds all of them, each with its place, and
`stanzad config show` prints the values in force.

- A duration is a whole number and `ms`, `s`, `m`, `h` or `d`: `"25s"`.
- A size is a number of bytes, or a whole number and `KiB`, `MiB` or `GiB`: `"256KiB"`.
- A rate is a whole number or a size, a slash and a duration: `"5000/1m"`, `"5MiB/1m"`.
- A relative path in a file starts from the directory of that file, elsewhere from the working directory.
- `"none"` switches off what may be absent.
"##;

const SAMPLE_HEAD: &str = "\
# stanzad: every option at its default, or with an example where there is none by default.
# Take the # from the front of a line to set that option.
#
#     stanzad config check --config stanzad.toml     finds what is wrong, line by line
#     stanzad serve --config stanzad.toml
#
# Printed by `stanzad config reference --sample`.
";
