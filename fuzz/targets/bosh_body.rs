//! Runs `stanzad_fuzz::bosh_body` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stanzad_fuzz::bosh_body::run(data));
