//! Agreement with rxml, another reader of restricted XML: about what is XML, and about what it means.
//!
//! Stated differences, which [`is_comparable`] leaves out: our limits; where rxml is laxer (white
//! space before the first `<`, a reference or a section after the root, the same declaration of a
//! namespace twice, declaring the namespace of `xmlns`) and where it is stricter (U+FDF0 to U+FFFD in
//! a name, `standalone` and white space in the XML declaration). It stumbles over some CR, so it gets
//! the text with its line ends made LF, which is how a reader is to behave (XML 1.0 §2.11).

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rxml::{Event, Options, Parse, Parser, WithOptions};

use super::super::*;

/// What rxml makes of a document; `None` if it refuses it.
fn by_rxml(text: &str) -> Option<Element> {
    let options = Options {
        max_token_length: 1 << 20,
        ..Options::default()
    };
    let mut parser = Parser::with_options(options);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let take = |event| match event {
        Event::XmlDeclaration(..) => {}
        Event::StartElement(_, (namespace, name), attributes) => {
            let mut element = Element::new(name.to_string(), namespace.to_string());
            for ((namespace, name), value) in attributes.iter() {
                set(&mut element, namespace.as_str(), name, value);
            }
            open.push(element);
        }
        Event::Text(_, text) => {
            open.last_mut()
                .into_iter()
                .for_each(|element| element.push_text(&text));
        }
        Event::EndElement(_) => {
            let element = open.pop().expect("rxml checks that tags match");
            match open.last_mut() {
                Some(parent) => parent.push(element),
                None => root = Some(element),
            }
        }
    };
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    parser.parse_all(&mut text.as_bytes(), true, take).ok()?;
    root
}

fn set(element: &mut Element, namespace: &str, name: &str, value: &str) {
    match namespace {
        "" => element.set_attr(name, value),
        XML_NAMESPACE => element.set_attr(format!("xml:{name}"), value),
        _ => element.push_attr_in(name, namespace, value),
    }
}

fn is_comparable(text: &str, ours: &Result<Element, XmlFault>) -> bool {
    let begins_at = |at: u32, what: &str| text[at as usize..].starts_with(what);
    let is_stated = match *ours {
        Ok(_) => false,
        Err(XmlFault::DuplicateAttribute { at }) => begins_at(at, "xmlns"),
        Err(XmlFault::AfterRoot { at }) => begins_at(at, "&") || begins_at(at, "<![CDATA["),
        Err(XmlFault::ReservedBinding { .. }) => text.contains(XMLNS_NAMESPACE),
        Err(fault) => fault.kind() == FaultKind::PolicyViolation,
    };
    text.starts_with('<')
        && !text.contains("<?xml ")
        && !text.contains(|c| matches!(c, '\u{FDF0}'..='\u{FFFD}'))
        && !is_stated
}

/// Attributes have no order in XML; rxml sorts them.
fn sorted(element: &Element) -> Element {
    let mut attributes = element.attributes().to_vec();
    attributes.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let mut copy = Element::new(element.name(), element.namespace());
    for ElementAttribute {
        name,
        namespace,
        value,
    } in &attributes
    {
        match namespace.as_str() {
            "" => copy.set_attr(name, value),
            _ => copy.push_attr_in(name, namespace, value),
        }
    }
    for node in element.nodes() {
        match node {
            Node::Element(child) => copy.push(sorted(child)),
            Node::Text(text) => copy.push_text(text),
        }
    }
    copy
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let ours = Element::parse(text);
    let scanned = Scanner::default().scan(text).map(|_| ());
    prop_assert_eq!(scanned, ours.as_ref().map(|_| ()).map_err(|fault| *fault));
    if is_comparable(text, &ours) {
        let theirs = by_rxml(text);
        prop_assert_eq!(
            ours.ok().as_ref().map(sorted),
            theirs.as_ref().map(sorted),
            "{}",
            text
        );
    }
    Ok(())
}

/// The files of `xmpp-testdata`, good and bad.
fn corpus() -> &'static [String] {
    static CORPUS: OnceLock<Vec<String>> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("xmpp-testdata");
        let directories = ["good", "bad", "hostile"].map(|name| fs::read_dir(root.join(name)));
        let entries = directories
            .into_iter()
            .flat_map(|directory| directory.expect("corpus"));
        let mut files: Vec<_> = entries.map(|entry| entry.expect("corpus").path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| fs::read_to_string(file).expect("corpus"))
            .collect()
    })
}

/// Pieces of XML, whole and broken, that mean something next to each other.
fn piece() -> impl Strategy<Value = String> {
    select(PIECES).prop_map(str::to_owned)
}

/// One change of a text, at places that fit it whatever it is.
#[derive(Debug, Clone)]
enum Change {
    Insert(Index, String),
    Delete(Index, Index),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        3 => (place(), piece()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        2 => (place(), place()).prop_map(|(from, to)| Change::Delete(from, to)),
        1 => (place(), place()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

impl Change {
    fn apply(&self, text: &str) -> String {
        let bound = |index: &Index| text.floor_char_boundary(index.index(text.len() + 1));
        let range = |from, to| {
            let (from, to) = (bound(from), bound(to));
            // Short ranges leave more of the text to disagree about.
            let (from, to) = (from.min(to), from.max(to));
            (from, text.floor_char_boundary(to.min(from + 12)))
        };
        match self {
            Self::Insert(at, piece) => {
                let (before, after) = text.split_at(bound(at));
                [before, piece, after].concat()
            }
            Self::Delete(from, to) => {
                let (from, to) = range(from, to);
                [&text[..from], &text[to..]].concat()
            }
            Self::Repeat(from, to) => {
                let (from, to) = range(from, to);
                [&text[..to], &text[from..]].concat()
            }
        }
    }
}

proptest! {
    // What it finds goes into `xmpp-testdata`.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn scanner_and_tree_agree_with_rxml_about_pieces_of_xml(pieces in vec(piece(), 0..8)) {
        check(&format!("<r xmlns:p='v'>{}</r>", pieces.concat()))?;
    }

    #[test]
    fn scanner_and_tree_agree_with_rxml_about_pieces_of_a_tag(pieces in vec(piece(), 0..6)) {
        check(&format!("<r{}/>", pieces.concat()))?;
    }

    #[test]
    fn scanner_and_tree_agree_with_rxml_about_what_follows(pieces in vec(piece(), 0..4)) {
        check(&format!("<r/>{}", pieces.concat()))?;
    }

    #[test]
    fn scanner_and_tree_agree_with_rxml_about_changed_frames(
        file in any::<Index>(), changes in vec(change(), 0..4)
    ) {
        let text = changes.iter().fold(file.get(corpus()).clone(), |text, c| c.apply(&text));
        check(&text)?;
    }

    #[test]
    fn scanner_and_tree_agree_with_rxml_about_any_character(c in any::<char>()) {
        for text in [format!("<a>{c}</a>"), format!("<a b='{c}'/>"), format!("<{c}/>"),
            format!("<a{c}/>"), format!("<a {c}='1'/>"), format!("<a>&#{};</a>", c as u32)] {
            check(&text)?;
        }
    }
}

#[test]
fn scanner_and_tree_agree_with_rxml_about_every_frame_of_the_corpus() {
    for text in corpus() {
        check(text).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "<", ">", "/>", "</", "<a", "<b>", "<a>", "</a>", "</b>", "</r>", "<p:a", "</p:a>", "<p:a>",
    " ", "\t", "\r\n", "\r", "\n", "=", "'", "\"", "a", "b", ":", "a='1'", " a='1'", " b=\"2\"",
    " p:a='3'", " q:a='4'", " xmlns='u'", " xmlns=''", " xmlns:p='u'", " xmlns:q='u'",
    " xmlns:q='&#117;'", " xmlns:p=''", " xmlns:xml='u'", " xml:lang='de'", " xml:a='1'",
    " xmlns:xmlns='u'", " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    " xmlns='http://www.w3.org/2000/xmlns/'", "&", ";", "&amp;", "&lt;", "&#65;", "&#x41;",
    "&#0;", "&#13;", "&#x9;", "&#xD800;", "&x;", "#", "]]>", "]", "<![CDATA[", "<![CDATA[x]]>",
    "<!--", "-->", "<!-- x -->", "<?x?>", "<!DOCTYPE a>", "<!DOCTYPE a [", "<!ENTITY b", "<!NOTATIO", "%c;", "]>", "\u{0}", "\u{1}", "\u{FFFE}",
    "\u{FFFF}", "\u{85}", "\u{2028}", "é", "\u{301}", "\u{B7}", "😀", "𐀀", "text", "-", ".", "1",
    "<a b='", "' c='", "xmlns", "xmlns:", "x]]", ">y",
];
