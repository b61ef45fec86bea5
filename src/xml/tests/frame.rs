//! Where the parts of a frame lie, and children taken out of it.

use proptest::prelude::*;

use super::super::*;

const HTTPBIND: &str = "http://jabber.org/protocol/httpbind";
const TO_CLIENT: Option<(&str, &str)> = Some((HTTPBIND, "jabber:client"));

/// The documents of all children of the root.
fn documents(text: &str, rename: Option<(&str, &str)>) -> Vec<String> {
    let mut scanner = Scanner::default();
    let frame = scanner.scan(text).expect(text);
    (0..frame.children().len())
        .map(|i| frame.child_document(i, rename).into_owned())
        .collect()
}

#[test]
fn frame_tells_where_its_parts_lie() {
    let text = "<?xml version='1.0'?><message xmlns='jabber:client' to='a@b' id=\"&lt;1&gt;\">\
                <body>Hi &amp; bye</body><x:y xmlns:x='urn:z'/></message>\n";
    let mut scanner = Scanner::default();
    let frame = scanner.scan(text).expect("well-formed");
    assert_eq!(frame.text(), text);
    assert_eq!((frame.prefix(), frame.name()), ("", "message"));
    assert!(frame.is("message", "jabber:client"));
    assert_eq!(frame.attribute("to").as_deref(), Some("a@b"));
    assert_eq!(frame.attribute("id").as_deref(), Some("<1>"));
    assert_eq!(frame.attribute("from"), None);
    assert_eq!(
        frame.content(),
        "<body>Hi &amp; bye</body><x:y xmlns:x='urn:z'/>"
    );
    assert!(frame.element()[frame.start_tag_end()..].starts_with("<body>Hi"));
    assert!(frame.element().starts_with("<message") && frame.element().ends_with("</message>"));
    assert_eq!(frame.span().of(text), frame.element());
    assert!(!frame.is_empty_element());
    assert_eq!(
        frame.child("y", "urn:z").map(|child| child.prefix()),
        Some("x")
    );
    assert_eq!(
        frame.child("body", "jabber:client").map(|c| c.content()),
        Some("Hi &amp; bye")
    );
    assert_eq!(frame.child_text(1), "<x:y xmlns:x='urn:z'/>");
    assert_eq!(
        (frame.child_text(2), &*frame.child_document(2, None)),
        ("", "")
    );
}

#[test]
fn empty_element_has_no_content() {
    let mut scanner = Scanner::default();
    let frame = scanner.scan("<f:open xmlns:f='u' />").expect("well-formed");
    assert!(frame.is_empty_element() && frame.is("open", "u"));
    assert_eq!((frame.content(), frame.prefix()), ("", "f"));
    assert_eq!(frame.start_tag_end(), frame.element().len());
    let frame = scanner.scan("<a></a>").expect("well-formed");
    assert!(!frame.is_empty_element());
    assert_eq!((frame.content(), frame.start_tag_end()), ("", 3));
}

#[test]
fn raw_attributes_are_told_as_written() {
    let mut scanner = Scanner::default();
    let text = "<a xmlns='u' xmlns:p = \"v\"\n p:b='1&lt;2' xml:lang='de'/>";
    let frame = scanner.scan(text).expect("well-formed");
    let raw: Vec<_> = frame.attributes().collect();
    let names: Vec<_> = raw
        .iter()
        .map(|a| (a.name(), a.prefix(), a.local()))
        .collect();
    let expected = [
        ("xmlns", "", "xmlns"),
        ("xmlns:p", "xmlns", "p"),
        ("p:b", "p", "b"),
        ("xml:lang", "xml", "lang"),
    ];
    assert_eq!(names, expected);
    let declared: Vec<_> = raw.iter().map(|a| a.declared_prefix()).collect();
    assert_eq!(declared, [Some(""), Some("p"), None, None]);
    assert_eq!((raw[2].raw_value(), &*raw[2].value()), ("1&lt;2", "1<2"));
    assert_eq!(raw[1].span().of(text), "xmlns:p = \"v\"");
    assert_eq!((raw[0].quote(), raw[1].quote()), ('\'', '"'));
    assert_eq!(frame.xml_lang().as_deref(), Some("de"));
    assert_eq!(frame.attribute("b"), None, "p:b is another attribute");
}

///
#[test]
fn value_has_references_resolved_and_white_space_made_blank() {
    let mut scanner = Scanner::default();
    let text = "<a b='1\t2\n3\r\n4\r5&#9;6&#10;7&#13;8&amp;amp;&quot;&#x1F600;'/>";
    let frame = scanner.scan(text).expect("well-formed");
    assert_eq!(
        frame.attribute("b").as_deref(),
        Some("1 2 3 4 5\t6\n7\r8&amp;\"😀")
    );
}

#[test]
fn namespace_is_compared_as_meant_and_not_as_written() {
    let mut scanner = Scanner::default();
    assert!(
        scanner
            .scan("<a xmlns='jabber&#58;client'/>")
            .expect("ok")
            .is("a", "jabber:client")
    );
    assert!(scanner.scan("<a xmlns=''/>").expect("ok").is("a", ""));
}

#[test]
fn child_document_declares_what_the_child_inherits_and_uses() {
    let text = "<r xmlns='d' xmlns:p='u' xmlns:q=\"v\"><a/><p:a/><a><q:b p:c='1'/></a>\
                <a xmlns='e'/><p:a><b/></p:a><a xmlns='e' q:c='1'/><a xmlns=''/></r>";
    let expected = [
        "<a xmlns='d'/>",
        "<p:a xmlns:p='u'/>",
        "<a xmlns='d' xmlns:p='u' xmlns:q=\"v\"><q:b p:c='1'/></a>",
        "<a xmlns='e'/>",
        "<p:a xmlns='d' xmlns:p='u'><b/></p:a>",
        "<a xmlns:q=\"v\" xmlns='e' q:c='1'/>",
        "<a xmlns=''/>",
    ];
    assert_eq!(documents(text, None), expected);
}

#[test]
fn child_document_borrows_what_stands_for_itself() {
    let mut scanner = Scanner::default();
    let frame = scanner
        .scan("<r><a xmlns='u'><b/></a><a/></r>")
        .expect("well-formed");
    for i in 0..2 {
        assert!(matches!(
            frame.child_document(i, TO_CLIENT),
            std::borrow::Cow::Borrowed(_)
        ));
    }
}

/// XEP-0206 §2
#[test]
fn stanza_left_in_the_namespace_of_the_body_becomes_one_of_a_client() {
    let text = format!(
        "<body xmlns='{HTTPBIND}' xmlns:e='urn:e'><message to='a'><body>x</body><e:y/></message>\
         <iq xmlns='{HTTPBIND}' id='1'/><presence xmlns='jabber:client'/><e:r/></body>"
    );
    let expected = [
        "<message xmlns='jabber:client' xmlns:e='urn:e' to='a'><body>x</body><e:y/></message>",
        "<iq xmlns='jabber:client' id='1'/>",
        "<presence xmlns='jabber:client'/>",
        "<e:r xmlns:e='urn:e'/>",
    ];
    assert_eq!(documents(&text, TO_CLIENT), expected);
}

#[test]
fn stanza_with_a_prefix_for_the_namespace_of_the_body_is_renamed_by_its_prefix() {
    let text = format!("<h:body xmlns:h='{HTTPBIND}'><h:iq id='1'><x/></h:iq></h:body>");
    assert_eq!(
        documents(&text, TO_CLIENT),
        ["<h:iq xmlns:h='jabber:client' id='1'><x/></h:iq>"]
    );
    let unnamed = documents("<r><a/></r>", Some(("", "it's")));
    assert_eq!(unnamed, ["<a xmlns='it&apos;s'/>"]);
}

#[test]
fn rename_leaves_what_is_declared_deeper_alone() {
    let text = format!("<body xmlns='{HTTPBIND}'><iq><x xmlns='{HTTPBIND}'/></iq></body>");
    let expected = format!("<iq xmlns='jabber:client'><x xmlns='{HTTPBIND}'/></iq>");
    assert_eq!(documents(&text, TO_CLIENT), [expected]);
}

fn name() -> impl Strategy<Value = String> {
    "([pq]:)?[ab]"
}

fn declarations() -> impl Strategy<Value = String> {
    "( xmlns='[uv]?')?( xmlns:p='[uv]')?( xmlns:q='[uv]')?"
}

/// Elements that declare and use namespaces at random.
fn child() -> impl Strategy<Value = String> {
    let leaf = (name(), declarations()).prop_map(|(name, all)| format!("<{name}{all}/>"));
    leaf.prop_recursive(3, 12, 3, |inner| {
        (
            name(),
            declarations(),
            "( p:c='1')?",
            proptest::collection::vec(inner, 0..3),
        )
            .prop_map(|(name, all, attribute, content)| {
                format!("<{name}{all}{attribute}>{}</{name}>", content.concat())
            })
    })
}

proptest! {
    #[test]
    fn child_document_means_what_the_child_means_in_its_place(child in child(), all in declarations()) {
        let text = format!("<r xmlns:p='w' xmlns:q='w'><s{all}>{child}</s></r>");
        let Ok(inner) = Element::parse(&text) else { return Ok(()) };
        let outer = documents(&text, None).concat();
        let document = documents(&outer, None).concat();
        let in_its_place = inner.children().next().and_then(|s| s.children().next());
        let alone = Element::parse(&document).ok();
        prop_assert_eq!(alone.as_ref(), in_its_place, "{}", document);
    }
}
