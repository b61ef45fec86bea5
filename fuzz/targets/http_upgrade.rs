//! Runs `stanzad_fuzz::http_upgrade` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stanzad_fuzz::http_upgrade::run(data));
