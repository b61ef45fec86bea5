//! Runs `stanzad_fuzz::xml_frame` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stanzad_fuzz::xml_frame::run(data));
