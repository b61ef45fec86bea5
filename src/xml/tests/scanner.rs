//! Rule by rule. `xmpp-testdata` has more of each kind.

use super::super::*;

fn scan(text: &str) -> Result<(), XmlFault> {
    Scanner::default().scan(text).map(|_| ())
}

fn fault(text: &str) -> XmlFault {
    scan(text).expect_err(text)
}

fn scan_within(limits: Limits, text: &str) -> Result<(), XmlFault> {
    Scanner::new(limits).scan(text).map(|_| ())
}

/// W-53, W-56
#[test]
fn frame_of_nothing_is_empty_and_no_error_of_xml() {
    for text in ["", " ", "\n\r\t "] {
        assert_eq!(fault(text), XmlFault::Empty);
    }
    assert_eq!(FaultKind::EmptyFrame.condition(), None);
}

/// W-52, W-57, X-22
#[test]
fn frame_begins_with_less_than() {
    for text in [" <a/>", "\n<a/>", "\u{FEFF}<a/>", "x<a/>", "&lt;<a/>"] {
        assert_eq!(fault(text), XmlFault::BeforeRoot);
    }
}

/// W-54
#[test]
fn white_space_after_the_element_is_tolerated() {
    assert_eq!(scan("<a/> \t\r\n"), Ok(()));
    assert_eq!(scan("<a></a> \t\r\n"), Ok(()));
}

/// W-50, X-22
#[test]
fn anything_else_after_the_element_is_refused() {
    for tail in [
        "<b/>",
        "x",
        "&#32;",
        "&amp;",
        "<![CDATA[]]>",
        "\n<a/>",
        "\u{A0}",
    ] {
        let text = format!("<a/>{tail}");
        assert!(
            matches!(fault(&text), XmlFault::AfterRoot { at: 4.. }),
            "{text}"
        );
    }
    assert_eq!(fault("<a/></a>"), XmlFault::EndTag { at: 4 });
}

/// W-51
#[test]
fn text_that_ends_too_early_is_unclosed() {
    for text in [
        "<",
        "<a",
        "<a>",
        "<a b='",
        "<a><b></b>",
        "<a>x",
        "<a><![CDATA[",
        "<?xml",
        "<!--",
    ] {
        assert!(
            matches!(fault(text), XmlFault::Unclosed { .. }),
            "{text}: {}",
            fault(text)
        );
    }
    assert_eq!(
        fault("<?xml version='1.0'?>"),
        XmlFault::Unclosed { at: 21 }
    );
}

/// W-55, X-20
#[test]
fn one_declaration_of_utf_8_may_stand_first() {
    for declaration in [
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        "<?xml\tversion = '1.0'\n encoding='UTF-8' standalone='no' ?>\n",
    ] {
        assert_eq!(scan(&format!("{declaration}<a/>")), Ok(()), "{declaration}");
    }
    assert_eq!(
        fault("<?xml version='1.0' encoding='utf-16'?><a/>"),
        XmlFault::UnsupportedEncoding
    );
    let again = "<?xml version='1.0'?><?xml version='1.0'?><a/>";
    assert_eq!(fault(again), XmlFault::Declaration { at: 21 });
    assert_eq!(
        fault("<?xml version='1.1'?><a/>"),
        XmlFault::Declaration { at: 0 }
    );
    assert_eq!(
        fault("<?xml version='1.0' encoding='8'?><a/>"),
        XmlFault::Declaration { at: 0 }
    );
    assert_eq!(
        fault("<?xmlversion='1.0'?><a/>"),
        XmlFault::ProcessingInstruction { at: 0 }
    );
}

///
#[test]
fn what_xmpp_does_without_is_restricted_and_not_ill_formed() {
    assert_eq!(fault("<!DOCTYPE a><a/>"), XmlFault::DocumentType { at: 0 });
    assert_eq!(fault("<!DOCTYPE a ["), XmlFault::DocumentType { at: 0 });
    assert_eq!(fault("<a><!-- c --></a>"), XmlFault::Comment { at: 3 });
    assert_eq!(
        fault("<a><?p?></a>"),
        XmlFault::ProcessingInstruction { at: 3 }
    );
    assert_eq!(fault("<a>&nbsp;</a>"), XmlFault::Entity { at: 3 });
    assert_eq!(fault("<a b='&nbsp;'/>"), XmlFault::Entity { at: 6 });
    for text in [
        "<!DOCTYPE a><a/>",
        "<a><!-- c --></a>",
        "<a><?p?></a>",
        "<a>&nbsp;</a>",
    ] {
        assert_eq!(fault(text).kind(), FaultKind::RestrictedXml, "{text}");
    }
}

///
#[test]
fn attribute_has_white_space_name_equals_and_quotes() {
    for text in [
        "<a b/>",
        "<a b=c/>",
        "<a b='1'c='2'/>",
        "<a b '1'/>",
        "<a b='1\"'c/>",
    ] {
        assert!(
            matches!(fault(text), XmlFault::Attribute { .. }),
            "{text}: {}",
            fault(text)
        );
    }
    assert_eq!(fault("<a b='<'/>"), XmlFault::LessThanInValue { at: 6 });
    assert_eq!(scan("<a\n\tb = '\"'\r\nc= \"'>\" />"), Ok(()));
}

///
#[test]
fn names_follow_the_fifth_edition() {
    for name in [
        "_", "é", "a-b.c", "a\u{B7}", "a\u{301}", "名前", "𐀀", "a:b", "ﷰ",
    ] {
        assert_eq!(scan(&format!("<{name} xmlns:a='u'/>")), Ok(()), "{name}");
    }
    for name in [
        " a",
        "1",
        "-a",
        ".a",
        "\u{301}",
        "a\u{D7}",
        "a\u{37E}",
        "a\u{2028}",
        "a/b",
        "a<b",
    ] {
        let text = format!("<{name}/>");
        let refused = fault(&text);
        assert!(
            matches!(refused, XmlFault::Name { .. } | XmlFault::Attribute { .. }),
            "{text}: {refused}"
        );
    }
}

///
#[test]
fn name_has_at_most_one_colon_with_a_name_on_either_side() {
    for name in [":", ":a", "a:", "a:b:c", "a::b", "a:1"] {
        let text = format!("<{name} xmlns:a='u'/>");
        assert!(matches!(fault(&text), XmlFault::Name { .. }), "{text}");
    }
}

///
#[test]
fn section_end_stands_only_where_a_section_ends() {
    assert_eq!(fault("<a>x]]></a>"), XmlFault::SectionEndInText { at: 4 });
    for body in [
        "]]&gt;",
        "]] >",
        "]>",
        "<![CDATA[]]]]><![CDATA[>]]>",
        "]]<b/>>",
    ] {
        assert_eq!(scan(&format!("<a>{body}</a>")), Ok(()), "{body}");
    }
    assert_eq!(scan("<a b=']]>'/>"), Ok(()));
}

///
#[test]
fn raw_character_that_xml_forbids_is_refused_wherever_it_stands() {
    for c in [
        '\0', '\u{1}', '\u{8}', '\u{B}', '\u{C}', '\u{E}', '\u{1F}', '\u{FFFE}', '\u{FFFF}',
    ] {
        for text in [
            format!("<a>{c}</a>"),
            format!("<a b='{c}'/>"),
            format!("<a><![CDATA[{c}]]></a>"),
        ] {
            assert!(
                matches!(fault(&text), XmlFault::Character { .. }),
                "{text:?}"
            );
        }
    }
    assert_eq!(fault("<a>é\u{FFFE}</a>"), XmlFault::Character { at: 5 });
}

///
#[test]
fn characters_that_only_look_forbidden_in_bytes_are_accepted() {
    assert_eq!(
        scan("<a>\u{FFF}\u{FFD}\u{1FFFE}\u{10FFFF}\u{7F}\u{85}\t\r\n</a>"),
        Ok(())
    );
}

///
#[test]
fn reference_to_no_character_is_refused_in_text_and_in_values() {
    let references = [
        "&#0;",
        "&#1;",
        "&#11;",
        "&#xFFFE;",
        "&#xD800;",
        "&#xDFFF;",
        "&#x110000;",
        "&#+65;",
        "&#-65;",
        "&#;",
        "&#x;",
        "&#X41;",
        "&#65",
        "&;",
        "& ",
        "&#99999999999999999999;",
        "&1;",
    ];
    for reference in references {
        for text in [
            format!("<a>{reference}</a>"),
            format!("<a b='{reference}'/>"),
        ] {
            assert!(
                matches!(fault(&text), XmlFault::Reference { .. }),
                "{text}: {}",
                fault(&text)
            );
        }
    }
}

///
#[test]
fn references_to_characters_are_accepted() {
    let text = "&lt;&gt;&amp;&quot;&apos;&#9;&#xA;&#13;&#x10FFFF;&#00000000000000065;";
    assert_eq!(scan(&format!("<a b='{text}'>{text}</a>")), Ok(()));
}

///
#[test]
fn prefix_is_declared_in_scope() {
    assert_eq!(fault("<p:a/>"), XmlFault::UndeclaredPrefix { at: 1 });
    assert_eq!(fault("<a p:b='1'/>"), XmlFault::UndeclaredPrefix { at: 3 });
    assert!(matches!(
        fault("<a><b xmlns:p='u'/><p:c/></a>"),
        XmlFault::UndeclaredPrefix { .. }
    ));
    assert_eq!(
        scan("<p:a q:b='1' xmlns:p='u' xmlns:q='v'><p:b/></p:a>"),
        Ok(())
    );
    assert_eq!(scan("<a xml:lang='de'><xml:b/></a>"), Ok(()));
}

///
#[test]
fn reserved_prefixes_and_namespaces_stay_as_they_are() {
    for declaration in [
        "xmlns:xml='u'",
        "xmlns:xmlns='u'",
        "xmlns:xmlns='http://www.w3.org/2000/xmlns/'",
        "xmlns:p='http://www.w3.org/2000/xmlns/'",
        "xmlns='http://www.w3.org/2000/xmlns/'",
        "xmlns:p='http://www.w3.org/XML/1998/namespace'",
        "xmlns='http://www.w3.org/XML/1998/namespace'",
        "xmlns:p='http://www.w3.org/XML/1998/n&#97;mespace'",
    ] {
        let text = format!("<a {declaration}/>");
        assert_eq!(fault(&text), XmlFault::ReservedBinding { at: 3 }, "{text}");
    }
    assert_eq!(
        fault("<a xmlns:p=''/>"),
        XmlFault::EmptyPrefixBinding { at: 3 }
    );
    assert_eq!(
        scan("<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>"),
        Ok(())
    );
    assert_eq!(scan("<a xmlns='u'><b xmlns=''/></a>"), Ok(()));
}

///
#[test]
fn attribute_stands_once_by_expanded_name() {
    for attributes in [
        "b='1' b='2'",
        "xmlns='u' xmlns='v'",
        "xmlns:p='u' xmlns:p='v'",
        "xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'",
        "xmlns:p='u' xmlns:q='&#117;' p:b='1' q:b='2'",
        "xml:lang='de' xml:lang='en'",
    ] {
        let text = format!("<a {attributes}/>");
        assert!(
            matches!(fault(&text), XmlFault::DuplicateAttribute { .. }),
            "{text}"
        );
    }
    let apart = "<a b='1' p:b='2' q:b='3' xmlns='u' xmlns:p='u' xmlns:q='v' xmlns:b='w'/>";
    assert_eq!(scan(apart), Ok(()));
}

/// Namespaces of an element that ended must not be mistaken for those declared after it.
#[test]
fn namespaces_of_siblings_are_kept_apart() {
    let first = "<b xmlns:p='u' xmlns:q='v' p:c='1' q:c='2'/>";
    let second = "<b xmlns:p='v' xmlns:q='u' p:c='1' q:c='2'/>";
    assert_eq!(scan(&format!("<a>{first}{second}</a>")), Ok(()));
    let inner = "<c xmlns:q='u' p:d='1' q:d='2'/>";
    let text = format!("<a>{first}<b xmlns:p='u'>{inner}</b></a>");
    assert!(matches!(fault(&text), XmlFault::DuplicateAttribute { .. }));
}

///
#[test]
fn each_limit_holds_at_its_last_value_and_is_a_policy_violation_beyond() {
    let nested = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
    let attributes = |n: usize| {
        let all: String = (0..n).map(|i| format!(" a{i}=''")).collect();
        format!("<a{all}/>")
    };
    let namespaces = |n: usize| {
        let all: String = (0..n).map(|i| format!(" xmlns:p{i}='u'")).collect();
        format!("<a><b{all}/></a>")
    };
    let elements = |n: usize| format!("<a>{}</a>", "<b/>".repeat(n - 1));
    let limits = Limits {
        depth: 5,
        attributes: 6,
        namespaces: 3,
        elements: 9,
    };
    let cases: [(&dyn Fn(usize) -> String, usize); 4] = [
        (&nested, 5),
        (&attributes, 6),
        (&namespaces, 3),
        (&elements, 9),
    ];
    for (text, last) in cases {
        assert_eq!(scan_within(limits, &text(last)), Ok(()));
        let beyond = scan_within(limits, &text(last + 1)).expect_err("beyond the limit");
        assert_eq!(beyond.kind(), FaultKind::PolicyViolation, "{beyond}");
    }
}

///
#[test]
fn depth_is_refused_before_the_end_of_the_text_matters() {
    assert_eq!(
        fault(&"<a>".repeat(100_000)),
        XmlFault::TooDeep { at: 64 * 3 }
    );
}

#[test]
fn limits_beyond_what_the_scanner_can_keep_are_lowered() {
    let limits = Limits {
        attributes: u16::MAX,
        namespaces: u16::MAX,
        ..Limits::default()
    };
    let all: String = (0..65).map(|i| format!(" xmlns:p{i}='u'")).collect();
    let refused = scan_within(limits, &format!("<a{all}/>")).expect_err("65 namespaces");
    assert!(matches!(refused, XmlFault::TooManyNamespaces { .. }));
}

#[test]
fn scanner_forgets_a_frame_before_the_next() {
    let mut scanner = Scanner::default();
    assert!(scanner.scan("<a xmlns:p='u'><b/><c/>").is_err());
    let frame = scanner.scan("<d xmlns='v'><e/></d>").expect("well-formed");
    assert_eq!(
        frame
            .children()
            .map(|child| child.name())
            .collect::<Vec<_>>(),
        ["e"]
    );
    assert!(matches!(
        scanner.scan("<p:a/>"),
        Err(XmlFault::UndeclaredPrefix { .. })
    ));
}
