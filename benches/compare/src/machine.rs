//! Where and with what it was measured.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::servers::{Server, Tools, output};

pub fn facts(tools: &Tools, rounds: usize, window: u32) -> Vec<(String, String)> {
    let mut facts = vec![
        ("date".to_string(), said("date", &["-u", "+%Y-%m-%d"])),
        (
            "processor".into(),
            format!("{}, {} cores", processor(), cores()),
        ),
        ("memory".into(), memory()),
        (
            "system".into(),
            format!("{}, Linux {}", system(), said("uname", &["-r"])),
        ),
        ("open files".into(), said("sh", &["-c", "ulimit -n"])),
        (
            "rounds".into(),
            format!("{rounds}; a window of traffic is {window} s"),
        ),
    ];
    for server in Server::ALL {
        facts.push((server.name().into(), server.version(tools)));
    }
    facts
}

fn said(program: &str, arguments: &[&str]) -> String {
    output(Command::new(program).args(arguments)).unwrap_or_else(|_| "unknown".into())
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn processor() -> String {
    field("/proc/cpuinfo", "model name", ':').unwrap_or_else(|| "unknown".into())
}

fn memory() -> String {
    let total = field("/proc/meminfo", "MemTotal", ':');
    let total = total.and_then(|total| total.strip_suffix(" kB")?.parse::<u64>().ok());
    total.map_or("unknown".into(), |total| {
        format!("{} GiB", total.div_ceil(1024 * 1024))
    })
}

fn system() -> String {
    let name = field("/etc/os-release", "PRETTY_NAME", '=');
    name.map_or("unknown".into(), |name| name.trim_matches('"').to_string())
}

fn field(file: &str, name: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(separator)?.1.trim().to_string())
}
