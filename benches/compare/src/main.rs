//! Runs stanzad, the yardstick, ejabberd and Prosody in turn under the same load, and writes down
//! what they cost.

#![forbid(unsafe_code)]

mod accounts;
mod document;
mod figures;
mod machine;
mod plot;
mod reading;
mod results;
mod rows;
mod run;
mod scenario;
mod servers;
mod stats;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::results::Results;
use crate::scenario::{SCENARIOS, Scale};
use crate::servers::{Server, Tools};

/// Measures stanzad against the servers people run.
///
/// A whole run writes its tables into docs/performance.md and its plot into docs/performance.svg.
/// A run of a part, or a quick one, prints the tables. What was measured lies in
/// target/compare/results.json in any case.
#[derive(Parser)]
#[command(name = "compare")]
struct Options {
    /// How often everything is measured, each time with another server first
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Scenarios, such as flood,pingpong; all without it
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Servers, such as stanzad,yardstick; all without it
    #[arg(long, value_delimiter = ',', value_enum)]
    servers: Vec<Server>,
    /// One round of short windows and few sessions: to see that all works, not to quote
    #[arg(long)]
    quick: bool,
    /// Write into docs/, also if it is not a whole run
    #[arg(long)]
    write: bool,
    /// Measure nothing: make tables and plot of the last results again
    #[arg(long)]
    render: bool,
    /// The stanzad to measure [default: target/release/stanzad]
    #[arg(long)]
    stanzad: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let work = root.join("target/compare");
    fs::create_dir_all(&work)?;
    let file = work.join("results.json");
    let (results, facts) = if options.render {
        let text = fs::read_to_string(&file).context("there are no results yet")?;
        Results::from_json(&serde_json::from_str(&text)?)
    } else {
        let (results, facts) = measure(&options, &root, &work)?;
        fs::write(&file, format!("{:#}\n", results.to_json(&facts)))?;
        (results, facts)
    };
    let tables = document::render(&results, &facts);
    let plot = plot::draw(&results);
    let whole = !options.quick && options.only.is_empty() && options.servers.is_empty();
    if options.write || whole && !options.render {
        let document = root.join("docs/performance.md");
        let text = fs::read_to_string(&document)?;
        fs::write(&document, document::insert(&text, &tables)?)?;
        fs::write(root.join("docs/performance.svg"), plot)?;
        eprintln!("written: {}", document.display());
    } else {
        println!("{tables}");
        fs::write(work.join("performance.svg"), plot)?;
    }
    Ok(())
}

fn measure(
    options: &Options,
    root: &Path,
    work: &Path,
) -> Result<(Results, Vec<(String, String)>)> {
    let tools = tools(options, root)?;
    for name in &options.only {
        let known = SCENARIOS.iter().any(|scenario| scenario.name == name);
        ensure!(known, "no scenario {name:?}; there are {}", names());
    }
    let servers = if options.servers.is_empty() {
        Server::ALL.to_vec()
    } else {
        options.servers.clone()
    };
    let (rounds, scale) = if options.quick {
        (1, Scale::QUICK)
    } else {
        (options.rounds, Scale::FULL)
    };
    let since = Instant::now();
    let plan = run::Plan {
        tools: &tools,
        work,
        only: &options.only,
        servers,
        rounds,
        scale,
    };
    let facts = machine::facts(&tools, rounds, plan.scale.seconds);
    let results = plan.run()?;
    eprintln!("measured in {} s", since.elapsed().as_secs());
    Ok((results, facts))
}

/// The generator and the yardstick lie beside this program.
fn tools(options: &Options, root: &Path) -> Result<Tools> {
    let here = std::env::current_exe()?;
    let here = here.parent().context("a program lies in a directory")?;
    let stanzad = options.stanzad.clone();
    let tools = Tools {
        stanzad: stanzad.unwrap_or_else(|| root.join("target/release/stanzad")),
        limit: here.join("limit"),
        load: here.join("load"),
        settings: root.join("benches/compare/peers"),
    };
    for program in [&tools.stanzad, &tools.limit, &tools.load] {
        ensure!(
            program.exists(),
            "{} is not built; see run.sh",
            program.display()
        );
    }
    Ok(tools)
}

fn names() -> String {
    SCENARIOS
        .iter()
        .map(|scenario| scenario.name)
        .collect::<Vec<_>>()
        .join(", ")
}
