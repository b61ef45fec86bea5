//! Runs `stanzad_fuzz::sasl` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stanzad_fuzz::sasl::run(data));
