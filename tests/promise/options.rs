//! What the command line says.

/// The rows of the table, in their order.
pub const ROWS: [&str; 5] = ["websocket", "bosh", "mixed", "restart", "kill"];

/// As many cuts as are tried when nobody asks for more, so that it takes no longer than other tests.
const FEW_CUTS: u64 = 60;
const FEW_CYCLES: u64 = 3;

pub struct Options {
    /// Cuts in each row that is about cuts.
    pub cuts: u64,
    /// How often the server ends, in each row that is about that.
    pub cycles: u64,
    pub seed: u64,
    pub rows: Vec<&'static str>,
    /// A few clients suffice.
    pub is_small: bool,
    pub filtered_out: usize,
    /// Say what there is, and run nothing.
    pub list: bool,
}

const USAGE: &str = "\
usage: promise [--cuts N] [--cycles N] [--seed N] [--only ROW,…] [FILTER…]
rows: websocket, bosh, mixed, restart, kill";

impl Options {
    /// Reads the command line. The options of other test programs are taken and not heeded.
    pub fn read(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut cuts, mut cycles, mut seed, mut only) = (None, None, None, None);
        let (mut filters, mut list) = (Vec::new(), false);
        let mut args = args.map(split).flat_map(IntoIterator::into_iter);
        while let Some(arg) = args.next() {
            let mut value = || {
                args.next()
                    .ok_or_else(|| format!("{arg}: a value is missing"))
            };
            match &*arg {
                "--cuts" => cuts = Some(number(&value()?)?),
                "--cycles" => cycles = Some(number(&value()?)?),
                "--seed" => seed = Some(number(&value()?)?),
                "--only" => only = Some(choose(&value()?)?),
                "--list" => list = true,
                "--help" => return Err(USAGE.to_owned()),
                "--test-threads" | "--skip" | "--format" | "--color" | "--logfile" => {
                    value()?;
                }
                option if option.starts_with('-') => {}
                filter => filters.push(filter.to_owned()),
            }
        }
        let mut rows = only.unwrap_or_else(|| ROWS.to_vec());
        let chosen = rows.len();
        let is_wanted =
            |row: &str| filters.is_empty() || filters.iter().any(|f| name(row).contains(f));
        rows.retain(|row| is_wanted(row));
        let cuts = cuts.unwrap_or(FEW_CUTS);
        Ok(Self {
            cuts,
            cycles: cycles.unwrap_or(FEW_CYCLES.max(cuts / 50)),
            seed: seed.unwrap_or_else(fresh_seed),
            is_small: cuts <= FEW_CUTS,
            filtered_out: chosen - rows.len(),
            rows,
            list,
        })
    }
}

/// The name of a row among tests.
pub fn name(row: &str) -> String {
    format!("promise::{row}")
}

/// `--cuts=5` as `--cuts 5`.
fn split(arg: String) -> Vec<String> {
    match arg.split_once('=') {
        Some((option, value)) if option.starts_with("--") => vec![option.into(), value.into()],
        _ => vec![arg],
    }
}

fn number(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("{value} is no number"))
}

fn choose(rows: &str) -> Result<Vec<&'static str>, String> {
    let find = |wanted: &str| {
        let row = ROWS.into_iter().find(|row| *row == wanted);
        row.ok_or_else(|| format!("{wanted} is no row\n{USAGE}"))
    };
    rows.split(',').map(find).collect()
}

fn fresh_seed() -> u64 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes).into()
}
