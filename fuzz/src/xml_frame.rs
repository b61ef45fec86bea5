//! The frame scanner, the tree, and what is made of a stanza's text; against rxml.
//!
//! The bytes are the frame, as it comes from the network. Bytes that are no UTF-8 never get as far
//! as the scanner, so they are passed over.

use std::time::SystemTime;

use stanzad::stanza::address::FullJid;
use stanzad::stanza::{CLIENT_NS, Kind, Stanza, stamped};
use stanzad::xml::{Element, Frame, Limits, Scanner, XmlFault};

use crate::rxml_oracle;

/// Room for the declarations that a part needs when it stands alone.
const WIDE: Limits = Limits {
    depth: u16::MAX,
    attributes: 256,
    namespaces: 64,
    elements: u32::MAX,
};

const SENDER: &str = "juliet@example.org/balcony";

/// Reads one frame in every way that there is; the ways must agree.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let tree = Element::parse(text);
    let mut scanner = Scanner::default();
    let scanned = scanner.scan(text);
    assert_eq!(
        scanned.as_ref().map(|_| ()).map_err(|fault| *fault),
        tree.as_ref().map(|_| ()).map_err(|fault| *fault),
        "scanner and tree disagree about {text:?}"
    );
    agrees_with_rxml(text, &tree);
    if let (Ok(frame), Ok(tree)) = (scanned, tree) {
        says_the_same(&frame, &tree);
        children_stand_alone(&frame, &tree);
        can_be_written_and_read(&tree);
        if frame.namespace() == CLIENT_NS && frame.prefix().is_empty() {
            goes_on_as_it_came(&frame, &tree);
        }
    }
}

fn agrees_with_rxml(text: &str, tree: &Result<Element, XmlFault>) {
    if rxml_oracle::differs_by_statement(text, tree.as_ref().err().copied()) {
        return;
    }
    let ours = tree.as_ref().ok().map(rxml_oracle::sorted);
    let theirs = rxml_oracle::read(text).as_ref().map(rxml_oracle::sorted);
    assert_eq!(
        ours,
        theirs,
        "rxml reads {text:?} otherwise; we say {:?}",
        tree.as_ref().err()
    );
}

/// The frame, which points into the text, and the tree, which copies it.
fn says_the_same(frame: &Frame<'_, '_>, tree: &Element) {
    assert!(tree.is(frame.name(), &frame.namespace()));
    let text = frame.text();
    assert_eq!(frame.span().of(text), frame.element());
    assert!(frame.element().starts_with('<') && frame.element().ends_with('>'));
    assert!(frame.element()[..frame.start_tag_end()].ends_with('>'));
    assert_eq!(
        Element::parse(frame.element()).as_ref(),
        Ok(tree),
        "the root element alone"
    );
    for attribute in frame.attributes() {
        if attribute.prefix().is_empty() && !attribute.is_namespace_declaration() {
            assert_eq!(
                frame.attribute(attribute.name()).as_deref(),
                tree.attr(attribute.name())
            );
        }
    }
    assert_eq!(frame.xml_lang().as_deref(), tree.attr("xml:lang"));
    assert_eq!(frame.children().len(), tree.children().count());
    assert!(!frame.is_empty_element() || tree.nodes().is_empty());
}

/// A child taken out of its root means what it meant inside.
fn children_stand_alone(frame: &Frame<'_, '_>, tree: &Element) {
    let namespace = frame.namespace();
    for (i, (child, node)) in frame.children().zip(tree.children()).enumerate() {
        assert!(node.is(child.name(), &child.namespace()));
        assert_eq!(frame.child_text(i), child.as_str());
        let document = frame.child_document(i, None);
        let alone = Element::parse_within(&document, WIDE);
        assert_eq!(
            alone.as_ref(),
            Ok(node),
            "child {i} stands alone as {document:?}"
        );
        let renamed = frame.child_document(i, Some((&namespace, "urn:renamed")));
        let renamed = match Element::parse_within(&renamed, WIDE) {
            Ok(renamed) => renamed,
            // The new name takes a declaration more than the frame had.
            Err(XmlFault::TooManyNamespaces { .. }) => continue,
            Err(fault) => panic!("a renamed child is no XML: {fault}: {renamed:?}"),
        };
        let was_renamed = child.namespace() == namespace;
        let expected = if was_renamed {
            "urn:renamed".into()
        } else {
            child.namespace()
        };
        assert!(renamed.is(child.name(), &expected));
    }
    assert_eq!(frame.child_text(frame.children().len()), "");
}

fn can_be_written_and_read(tree: &Element) {
    let mut text = String::new();
    tree.write_to(&mut text, "");
    match Element::parse_within(&text, WIDE) {
        Ok(again) => assert_eq!(
            rxml_oracle::sorted(&again),
            rxml_oracle::sorted(tree),
            "{text:?}"
        ),
        // Attributes get a declaration each when they are written.
        Err(XmlFault::TooManyNamespaces { .. } | XmlFault::TooManyAttributes { .. }) => {}
        Err(fault) => panic!("we wrote what we do not read: {fault}: {text:?}"),
    }
}

/// A stanza is stamped with its sender, and with the time if it is late; nothing else changes.
fn goes_on_as_it_came(frame: &Frame<'_, '_>, tree: &Element) {
    let sender: FullJid = SENDER.parse().expect("an address");
    let Some(Ok(stanza)) = Stanza::of_client(frame, &sender) else {
        return;
    };
    let sent = Element::parse_within(&stanza.text, WIDE).expect("a stanza goes on as XML");
    let mut expected = rxml_oracle::sorted(tree);
    expected.set_attr("from", SENDER);
    assert_eq!(
        rxml_oracle::sorted(&sent),
        rxml_oracle::sorted(&expected),
        "{:?}",
        stanza.text
    );
    assert!(Stanza::of_server(stanza.text.clone()).is_some());
    if !matches!(stanza.kind, Kind::Iq(_)) {
        let late = stamped(&stanza.text, "example.org", SystemTime::UNIX_EPOCH);
        let late = Element::parse_within(&late, WIDE).expect("a late stanza is XML");
        assert_eq!(late.nodes().len(), sent.nodes().len() + 1);
        let delay = late.children().last().expect("a stamp");
        assert!(delay.is("delay", "urn:xmpp:delay"));
    }
}
