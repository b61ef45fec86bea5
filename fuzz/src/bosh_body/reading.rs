//! A `<body/>`, read in two ways.

use stanzad::stream::bosh::{Body, BodyFault, MAX_GROWTH, Version};
use stanzad::xml::{Element, Limits, Scanner};

const NS_HTTPBIND: &str = "http://jabber.org/protocol/httpbind";
const NS_CLIENT: &str = "jabber:client";
const NS_XBOSH: &str = "urn:xmpp:xbosh";
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
/// Room for the declarations that a part needs when it stands alone.
const WIDE: Limits = Limits {
    depth: u16::MAX,
    attributes: 256,
    namespaces: 64,
    elements: u32::MAX,
};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let tree = Element::parse(text.trim_start_matches(SPACE));
    match (Body::parse(&mut Scanner::default(), text), tree) {
        (Err(BodyFault::Xml(fault)), tree) => assert_eq!(tree, Err(fault)),
        (outcome, Err(fault)) => panic!("{outcome:?} of what is no XML: {fault}"),
        (Err(fault), Ok(tree)) => check_fault(fault, &tree),
        (Ok(body), Ok(tree)) => {
            check_attributes(&body, &tree);
            check_payload(&body, &tree, text);
        }
    }
}

fn check_fault(fault: BodyFault, tree: &Element) {
    let is_body = tree.is("body", NS_HTTPBIND);
    assert_eq!(fault == BodyFault::NotABody, !is_body, "{fault}");
    match fault {
        BodyFault::NoRid => assert_eq!(tree.attr("rid"), None),
        BodyFault::NotANumber { attribute } => {
            let value = tree.attr(attribute).expect("it is there").trim();
            let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            assert!(!is_number, "{attribute}={value:?}");
        }
        BodyFault::Text => {
            let is_text = |c: char| !SPACE.contains(&c);
            // A section or a reference may hold white space alone.
            let has_text = tree.text().chars().any(is_text) || !tree.text().is_empty();
            assert!(has_text, "no text beside the elements");
        }
        BodyFault::Xml(_) | BodyFault::NotABody | BodyFault::Growth => {}
    }
}

fn check_attributes(body: &Body, tree: &Element) {
    assert!(tree.is("body", NS_HTTPBIND));
    let texts = [
        ("sid", &body.sid),
        ("to", &body.to),
        ("from", &body.from),
        ("xml:lang", &body.lang),
        ("content", &body.content),
        ("key", &body.key),
        ("newkey", &body.newkey),
        ("condition", &body.condition),
    ];
    for (name, value) in texts {
        assert_eq!(value.as_deref(), tree.attr(name), "{name}");
    }
    let numbers = [
        ("rid", Some(body.rid)),
        ("wait", body.wait),
        ("hold", body.hold),
        ("ack", body.ack),
        ("pause", body.pause),
    ];
    for (name, value) in numbers {
        assert_eq!(value, tree.attr(name).map(number), "{name}");
    }
    assert_eq!(body.terminate, tree.attr("type") == Some("terminate"));
    assert_eq!(body.ver, tree.attr("ver").and_then(Version::parse));
    let restart = tree.attr_in("restart", NS_XBOSH);
    assert_eq!(body.restart, matches!(restart, Some("true" | "1")));
    assert_eq!(body.version.as_deref(), tree.attr_in("version", NS_XBOSH));
}

/// Numbers beyond 64 bits are the largest of them.
fn number(text: &str) -> u64 {
    let digits = text.trim();
    assert!(!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    digits.parse().unwrap_or(u64::MAX)
}

/// Each stanza alone means what it meant inside, but for the namespace of the body.
fn check_payload(body: &Body, tree: &Element, text: &str) {
    assert_eq!(body.payload.len(), tree.children().count());
    let bytes: usize = body.payload.iter().map(String::len).sum();
    assert!(bytes <= text.len() * MAX_GROWTH, "it grew to {bytes} bytes");
    for (document, inside) in body.payload.iter().zip(tree.children()) {
        let alone = match Element::parse_within(document, WIDE) {
            Ok(alone) => alone,
            Err(fault) => panic!("{fault}: {document:?}"),
        };
        assert_eq!(alone.name(), inside.name());
        if inside.namespace() == NS_HTTPBIND {
            assert_eq!(alone.namespace(), NS_CLIENT);
        } else {
            assert_eq!(alone, *inside);
        }
    }
}
