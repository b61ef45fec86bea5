//! Whatever is written, the reader answers.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(text in "[\\[\\]a-z_.= '\"0-9{},#\n]{0,80}") {
        let _ = load_file(&text);
    }

    #[test]
    fn no_assignment_makes_the_reader_panic(key in "[a-z_.]{0,20}", value in "\\PC{0,20}") {
        let _ = load_set(&[&format!("{key}={value}")]);
        for option in super::super::load::OPTIONS.iter() {
            let _ = load_set(&[&format!("{}={value}", option.key)]);
        }
        for option in super::super::load::ENDPOINT_OPTIONS.iter() {
            let _ = load_set(&[&format!("endpoint.0.{}={value}", option.name_within("endpoint"))]);
        }
        for option in super::super::load::TIER_OPTIONS.iter() {
            let _ = load_set(&[&format!("tier.gold.{}={value}", option.name_within("tier"))]);
        }
    }
}
