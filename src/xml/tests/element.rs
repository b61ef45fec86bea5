//! The tree.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::*;

#[test]
fn element_gives_what_was_read() {
    let text = "<iq xmlns='jabber:client' type='get' xml:lang='de' xmlns:p='u' p:k='v'>a<query \
                xmlns='jabber:iq:roster'/>b<p:x/>&amp;<![CDATA[<c>]]></iq>";
    let iq = Element::parse(text).expect("well-formed");
    assert!(iq.is("iq", "jabber:client"));
    assert_eq!(
        (iq.attr("type"), iq.attr("xml:lang")),
        (Some("get"), Some("de"))
    );
    assert_eq!((iq.attr("k"), iq.attr_in("k", "u")), (None, Some("v")));
    assert_eq!(iq.attributes().len(), 3, "declarations are no attributes");
    assert_eq!(iq.text(), "ab&<c>");
    assert_eq!(
        iq.children().map(Element::name).collect::<Vec<_>>(),
        ["query", "x"]
    );
    assert!(iq.child("query", "jabber:iq:roster").is_some());
    assert!(iq.child("query", "jabber:client").is_none());
    assert_eq!(iq.nodes().len(), 5);
}

///
#[test]
fn line_ends_of_text_are_lf_unless_written_as_references() {
    let text = |xml: &str| Element::parse(xml).expect(xml).text();
    assert_eq!(
        text("<a>1\r\n2\r3\n4&#13;&#10;5\r&#10;6</a>"),
        "1\n2\n3\n4\r\n5\n\n6"
    );
    assert_eq!(text("<a><![CDATA[\r\n\r]]>\r</a>"), "\n\n\n");
}

#[test]
fn builder_writes_what_it_was_told() {
    let element = Element::new("iq", "jabber:client")
        .with_attr("type", "result")
        .with_attr("id", "a'b")
        .with_child(
            Element::new("query", "urn:q")
                .with_text("1 < 2")
                .with_child(Element::new("i", "urn:q")),
        )
        .with_children([Element::new("x", "jabber:client"), Element::new("y", "")]);
    let written = "<iq xmlns='jabber:client' type='result' id='a&apos;b'><query xmlns='urn:q'>\
                   1 &lt; 2<i/></query><x/><y xmlns=''/></iq>";
    assert_eq!(element.to_string(), written);
    let mut inherited = String::from("+");
    element.write_to(&mut inherited, "jabber:client");
    assert_eq!(
        inherited,
        format!("+{}", written.replace(" xmlns='jabber:client'", ""))
    );
}

#[test]
fn attribute_is_set_once_and_can_be_taken_away() {
    let mut element = Element::new("a", "")
        .with_attr("k", "1")
        .with_attr("k", "2");
    assert_eq!(element.to_string(), "<a k='2'/>");
    assert_eq!(element.remove_attr("k").as_deref(), Some("2"));
    assert_eq!(element.remove_attr("k"), None);
    assert_eq!(element.to_string(), "<a/>");
}

#[test]
fn texts_that_follow_each_other_are_one() {
    let element = Element::new("a", "")
        .with_text("")
        .with_text("1")
        .with_text("2");
    assert_eq!(element.nodes(), [Node::Text("12".to_owned())]);
    assert_eq!(Element::new("a", "").with_text("").to_string(), "<a/>");
}

///
#[test]
fn attribute_in_a_namespace_is_written_with_a_prefix_of_its_own() {
    let mut element = Element::new("a", "u").with_attr("k", "1");
    element.push_attr_in("k", "v", "2");
    assert_eq!(
        element.to_string(),
        "<a xmlns='u' k='1' xmlns:n1='v' n1:k='2'/>"
    );
    assert_eq!(Element::parse(&element.to_string()), Ok(element));
}

/// W-58
#[test]
fn prefix_is_declared_where_it_stands_and_leaves_the_default_namespace_alone() {
    let features = Element::new("features", "urn:s")
        .with_prefix("stream")
        .with_child(Element::new("bind", "urn:b").with_child(Element::new("x", "urn:s")))
        .with_child(Element::new("y", ""));
    let written = "<stream:features xmlns:stream='urn:s'><bind xmlns='urn:b'><x xmlns='urn:s'/>\
                   </bind><y/></stream:features>";
    assert_eq!(features.to_string(), written);
    assert_eq!(Element::parse(written), Ok(features));
}

/// Namespaces in XML 1.0 §3: no other prefix, and no default, may be bound to it.
#[test]
fn element_in_the_namespace_of_xml_is_written_with_its_one_prefix() {
    let text = "<a xmlns='u'><xml:b><c/></xml:b></a>";
    let tree = Element::parse(text).expect("well-formed");
    assert_eq!(tree.to_string(), text);
}

///
#[test]
fn tree_of_any_depth_is_written_and_dropped_without_recursion() {
    let mut element = Element::new("a", "");
    for _ in 0..200_000 {
        element = Element::new("a", "").with_child(element);
    }
    assert_eq!(
        element.to_string().len(),
        200_000 * "<a></a>".len() + "<a/>".len()
    );
    assert!(matches!(
        Element::parse(&element.to_string()),
        Err(XmlFault::TooDeep { .. })
    ));
}

fn text() -> impl Strategy<Value = String> {
    "[\\PC\t\r\n<>&'\"\\]]{0,12}"
}

/// Elements without content, as a builder can make them.
fn empty_element() -> impl Strategy<Value = Element> {
    let name = "[a-zé_][a-z0-9.·-]{0,3}";
    let namespace = "(urn:[ab&'é]|jabber:client)?";
    let attributes = vec(("[a-c]", text()), 0..3);
    let foreign = option::of(("[a-c]", "urn:[xy]", text()));
    (name, namespace, attributes, foreign).prop_map(|(name, namespace, attributes, foreign)| {
        let mut element = Element::new(name, namespace);
        attributes
            .into_iter()
            .for_each(|(name, value)| element.set_attr(name, value));
        if let Some((name, namespace, value)) = foreign {
            element.push_attr_in(name, namespace, value);
        }
        element
    })
}

/// Elements as a builder can make them.
fn element() -> impl Strategy<Value = Element> {
    empty_element().prop_recursive(4, 24, 4, |inner| {
        let children = vec((text(), inner), 0..4);
        (empty_element(), children, text()).prop_map(|(element, children, last)| {
            let with = |element: Element, (text, child)| element.with_text(text).with_child(child);
            children.into_iter().fold(element, with).with_text(last)
        })
    })
}

proptest! {
    #[test]
    fn element_reads_back_as_it_was_written(element in element()) {
        prop_assert_eq!(Element::parse(&element.to_string()), Ok(element));
    }

    #[test]
    fn element_reads_back_within_an_inherited_namespace(element in element()) {
        let mut text = String::from("<r xmlns='jabber:client'>");
        element.write_to(&mut text, "jabber:client");
        text.push_str("</r>");
        let outer = Element::parse(&text).expect("well-formed");
        prop_assert_eq!(outer.children().next(), Some(&element));
    }
}
