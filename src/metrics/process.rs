//! What the operating system says about this process.

/// Resident memory in bytes; `None` where it is not told.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_runs_takes_memory() {
        let bytes = super::resident_bytes().expect("a figure");
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
