//! What the scanner looks at in blocks or only in part must not escape it.

use super::super::*;

fn scan(text: &str) -> Result<(), XmlFault> {
    Scanner::default().scan(text).map(|_| ())
}

fn fault(text: &str) -> XmlFault {
    scan(text).expect_err(text)
}

///
#[test]
fn forbidden_character_is_found_wherever_it_stands() {
    for offset in 0..200 {
        let before = "x".repeat(offset);
        for forbidden in ['\u{1}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            for after in ["", "\u{FF0C}y", &"\u{1FFFE}\t\r\n".repeat(20)] {
                let text = format!("<a>{before}{forbidden}{after}</a>");
                let at = 3 + offset as u32;
                assert_eq!(fault(&text), XmlFault::Character { at }, "{text:?}");
            }
        }
        let allowed = format!("<a>{before}\u{FFFD}\u{FF0C}\u{1FFFE}\u{1FFFF}\t\r\n]]</a>");
        assert_eq!(scan(&allowed), Ok(()));
    }
}

///
#[test]
fn end_of_a_section_in_text_is_found_wherever_it_stands() {
    for offset in 0..200 {
        let text = format!("<a>{}]]></a>", "x".repeat(offset));
        let at = 3 + offset as u32;
        assert_eq!(fault(&text), XmlFault::SectionEndInText { at });
    }
}

#[test]
fn names_that_are_as_long_and_alike_at_some_letters_are_no_duplicates() {
    assert_eq!(scan("<a b1cd2e='' b3cd4e='' b5cd6e=''/>"), Ok(()));
    assert_eq!(
        fault("<a b1cd2e='' b3cd4e='' b1cd2e=''/>"),
        XmlFault::DuplicateAttribute { at: 23 }
    );
    let long = "n".repeat(300);
    assert_eq!(scan(&format!("<a {long}='' {}=''/>", &long[..44])), Ok(()));
}

/// Namespaces in XML 1.0 §6.3: names of namespaces are compared as they are meant.
#[test]
fn namespaces_written_otherwise_make_duplicates_too() {
    for (one, other) in [
        ("urn:x", "urn&#58;x"),
        ("urn&#58;x", "urn:x"),
        ("a b", "a\nb"),
    ] {
        let text = format!("<a xmlns:p='{one}' xmlns:q='{other}' p:n='' q:n=''/>");
        assert!(matches!(fault(&text), XmlFault::DuplicateAttribute { .. }));
    }
}
