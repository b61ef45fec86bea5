//! The promise from end to end: nothing lost, nothing doubled, in order.
//!
//! Clients chat both ways with the real binary through a proxy that cuts and freezes their links at
//! any byte, and while the server is stopped and killed under them. Afterwards all is left alone, and
//! what each session saw is compared with what was written.
//!
//! `cargo test --test promise` makes a few cuts; `cargo test --release --test promise -- --cuts 1000`
//! means it. The table has a row for each kind of trouble; "to see" counts each message once for
//! each session that has to see it.

mod bosh;
mod dice;
mod http;
#[path = "../kit/mod.rs"]
mod kit;
mod ledger;
mod link;
mod options;
mod person;
mod proxy;
mod row;
mod server;
mod sm;
mod websocket;

use options::Options;
use row::Row;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        let names = options.rows.iter().map(|row| options::name(row));
        names.for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let start = Instant::now();
    println!("\nrunning {} tests", options.rows.len());
    let blind = ledger::check_oracle();
    blind.iter().for_each(|fault| println!("{fault}"));
    let rows = run(&options);
    let failed = rows.iter().filter(|row| !row.is_faultless()).count() + blind.len();
    let passed = rows.iter().filter(|row| row.is_faultless()).count();
    print_table(&rows, &options);
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        options.filtered_out,
        start.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(failed > 0))
}

fn run(options: &Options) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let rows = options.rows.iter().map(|name| {
        let row = runtime.block_on(row::run(name, options));
        let word = if row.is_faultless() { "ok" } else { "FAILED" };
        println!("test {} ... {word}", options::name(name));
        row.verdict
            .faults
            .iter()
            .for_each(|fault| println!("    {fault}"));
        row
    });
    rows.collect()
}

const HEADS: [&str; 14] = [
    "row",
    "clients",
    "links",
    "cuts",
    "ends",
    "resumed",
    "anew",
    "sent",
    "to see",
    "received",
    "lost",
    "doubled",
    "out of order",
    "seconds",
];

fn cells(row: &Row) -> [String; 14] {
    let (verdict, tally) = (&row.verdict, &row.verdict.tally);
    [
        row.name.to_owned(),
        row.clients.to_string(),
        row.links.to_string(),
        row.cuts.to_string(),
        row.ends.to_string(),
        verdict.resumed.to_string(),
        verdict.bound_anew.to_string(),
        verdict.sent.to_string(),
        tally.expected.to_string(),
        tally.received.to_string(),
        tally.lost.to_string(),
        tally.doubled.to_string(),
        tally.out_of_order.to_string(),
        format!("{:.1}", row.elapsed.as_secs_f64()),
    ]
}

fn print_table(rows: &[Row], options: &Options) {
    if rows.is_empty() {
        return;
    }
    println!("\nseed {}", options.seed);
    let lines: Vec<_> = rows.iter().map(cells).collect();
    let widths: Vec<_> = (0..HEADS.len())
        .map(|at| {
            let cells = lines.iter().map(|line| line[at].len());
            cells.chain([HEADS[at].len()]).max().unwrap_or(0)
        })
        .collect();
    print_line(HEADS.iter().copied(), &widths);
    for line in &lines {
        print_line(line.iter().map(String::as_str), &widths);
    }
    for row in rows {
        print_remarks(row);
    }
}

fn print_line<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let cells = cells.zip(widths).enumerate();
    let line: Vec<_> = cells
        .map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        })
        .collect();
    println!("{}", line.join("  "));
}

fn print_remarks(row: &Row) {
    let per_second = row.verdict.tally.received as f64 / row.elapsed.as_secs_f64();
    print!("{}: {per_second:.0} messages seen per second", row.name);
    if row.ends > 0 {
        let [end, begin] = row.slowest.map(|time| time.as_millis());
        print!("; the slowest end took {end} ms, the slowest start {begin} ms");
    }
    println!(
        "; {} came back as errors, {} times a contact seemed gone",
        row.verdict.refused, row.verdict.unavailable
    );
}
