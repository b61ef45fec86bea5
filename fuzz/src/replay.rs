//! Replays the seeds and whatever a fuzzer has found, on any toolchain.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{bosh_body, http_upgrade, sasl, seeds, stream, xml_frame};

/// What `fuzz/regressions` holds for a target, by name.
fn regressions(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let entries = fs::read_dir(root.join(target)).into_iter().flatten();
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |file: PathBuf| fs::read(&file).ok().map(|bytes| (file, bytes));
    files.into_iter().filter_map(read).collect()
}

fn replay(target: &str, run: impl Fn(&[u8])) {
    let all = seeds::all();
    let (_, seeds) = all.iter().find(|(name, _)| *name == target).expect("seeds");
    assert!(!seeds.is_empty());
    for (i, seed) in seeds.iter().enumerate() {
        println!("seed {i}");
        run(seed);
    }
    for (file, bytes) in regressions(target) {
        println!("{}", file.display());
        run(&bytes);
    }
}

#[test]
fn what_is_known_of_xml_frames_holds() {
    replay("xml_frame", xml_frame::run);
}

#[test]
fn what_is_known_of_streams_holds() {
    replay("stream", stream::run);
}

#[test]
fn what_is_known_of_bosh_holds() {
    replay("bosh_body", bosh_body::run);
}

#[test]
fn what_is_known_of_sasl_holds() {
    replay("sasl", sasl::run);
}

#[test]
fn what_is_known_of_upgrades_holds() {
    replay("http_upgrade", http_upgrade::run);
}

/// Else it would never be replayed.
#[test]
fn every_regression_belongs_to_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let names: Vec<_> = seeds::all().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(root).expect("regressions").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        assert!(names.contains(&&*name), "{name} is no target");
    }
}
