//! What is accepted, what is refused and as what, and where things lie.

use super::*;

fn fault(text: &str) -> XmlFault {
    Scanner::default().scan(text).expect_err(text)
}

#[test]
fn frame_tells_where_its_parts_lie() {
    let text = "<?xml version='1.0'?><message xmlns='jabber:client' to='a@b' id=\"&lt;1&gt;\">\
                <body>Hi &amp; bye</body><x:y xmlns:x='urn:z'/></message>\n";
    let mut scanner = Scanner::default();
    let frame = scanner.scan(text).expect("well-formed");
    assert!(frame.is("message", "jabber:client"));
    assert_eq!(frame.attribute("to").as_deref(), Some("a@b"));
    assert_eq!(frame.attribute("id").as_deref(), Some("<1>"));
    assert_eq!(
        frame.content(),
        "<body>Hi &amp; bye</body><x:y xmlns:x='urn:z'/>"
    );
    assert_eq!(&frame.element()[frame.start_tag_end()..][..6], "<body>");
    assert!(frame.element().ends_with("</message>"));
    let children: Vec<_> = frame
        .children()
        .map(|c| (c.name(), c.namespace()))
        .collect();
    assert_eq!(
        children,
        [("body", "jabber:client".into()), ("y", "urn:z".into())]
    );
    assert_eq!(
        frame.child_document(0, None),
        "<body xmlns='jabber:client'>Hi &amp; bye</body>"
    );
    assert_eq!(frame.child_document(1, None), "<x:y xmlns:x='urn:z'/>");
    assert_eq!(fault("<a></b>"), XmlFault::EndTag { at: 3 });
}
