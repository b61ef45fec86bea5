//! What is written reads back.

use proptest::prelude::*;

use super::super::*;

fn read_text(written: &str) -> String {
    Element::parse(&format!("<a>{written}</a>"))
        .expect(written)
        .text()
}

fn read_value(written: &str, quote: char) -> String {
    let text = format!("<a b={quote}{written}{quote}/>");
    let mut scanner = Scanner::default();
    let frame = scanner.scan(&text).expect(written);
    frame.attribute("b").expect("it has one").into_owned()
}

///
#[test]
fn line_ends_and_quotes_are_written_as_references_where_a_reader_would_lose_them() {
    assert_eq!(escape_text("a<b>&\"'\r\n\t"), "a&lt;b&gt;&amp;\"'&#13;\n\t");
    assert_eq!(
        escape_attribute("a<b>&\"'\r\n\t"),
        "a&lt;b&gt;&amp;&quot;&apos;&#13;&#10;&#9;"
    );
}

#[test]
fn nothing_to_escape_is_borrowed() {
    for text in ["", "plain", "é 😀"] {
        assert!(
            matches!(escape_text(text), std::borrow::Cow::Borrowed(_)),
            "{text}"
        );
        assert!(
            matches!(escape_attribute(text), std::borrow::Cow::Borrowed(_)),
            "{text}"
        );
    }
}

#[test]
fn character_that_xml_cannot_carry_becomes_the_replacement_character() {
    assert_eq!(
        escape_text("a\0b\u{1B}c\u{FFFE}d\u{FFFD}\u{FE0F}"),
        "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}\u{FE0F}"
    );
    assert_eq!(escape_attribute("\u{B}<"), "\u{FFFD}&lt;");
}

fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

proptest! {
    #[test]
    fn escaped_text_and_values_read_back(text in "[\\PC\\x00-\\x1F<>&'\"\\]\u{FFFD}-\u{FFFF}]*") {
        let meant: String = text.chars().map(|c| if is_allowed(c) { c } else { '\u{FFFD}' }).collect();
        prop_assert_eq!(read_text(&escape_text(&text)), meant.as_str());
        prop_assert_eq!(read_value(&escape_attribute(&text), '\''), meant.as_str());
        prop_assert_eq!(read_value(&escape_attribute(&text), '"'), meant.as_str());
    }
}
