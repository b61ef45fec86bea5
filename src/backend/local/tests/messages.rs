use super::*;
use crate::stanza::MessageType;

/// P-13
#[tokio::test]
async fn chat_to_the_bare_address_reaches_all_resources_that_are_not_negative() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = [
        server.login("romeo", "orchard").await,
        server.login("romeo", "garden").await,
        server.login("romeo", "cellar").await,
    ];
    romeo[2]
        .send("<presence><priority>-1</priority></presence>")
        .await;
    for client in &romeo {
        client.mail();
    }
    juliet
        .send("<message type='chat' to='romeo@example.org'><body>hi</body></message>")
        .await;
    assert_eq!(body(&romeo[0].elements()[0]), "hi");
    assert_eq!(body(&romeo[1].elements()[0]), "hi");
    assert!(romeo[2].mail().is_empty());
}

/// P-14, P-29
#[tokio::test]
async fn a_resource_without_presence_gets_nothing_by_the_bare_address_and_may_come_back() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.bind("romeo", "orchard").await;
    juliet
        .send("<message type='chat' to='romeo@example.org'><body>1</body></message>")
        .await;
    assert!(romeo.mail().is_empty());
    romeo.send("<presence/>").await;
    assert!(
        romeo
            .settle()
            .await
            .iter()
            .any(|stanza| stanza.name() == "message")
    );
    romeo.send("<presence type='unavailable'/>").await;
    romeo.mail();
    juliet
        .send("<message type='chat' to='romeo@example.org'><body>2</body></message>")
        .await;
    assert!(romeo.mail().is_empty());
}

///
#[tokio::test]
async fn a_message_arrives_as_it_was_sent_but_for_its_sender() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        server.login("romeo", "orchard").await,
        server.login("juliet", "balcony").await,
    );
    romeo.mail();
    let inside = "<body xml:lang='en'>a &lt; b</body> <x xmlns='urn:x'> <y/>text</x>";
    juliet
        .send(&format!(
            "<message type='chat' to='romeo@example.org/orchard' xml:lang='it' id='1' \
             from='nurse@example.org'>{inside}</message>"
        ))
        .await;
    let mail = romeo.mail();
    assert!(
        mail[0].contains("from=\"juliet@example.org/balcony\""),
        "{}",
        mail[0]
    );
    assert!(
        mail[0].contains("xml:lang='it'") && !mail[0].contains("nurse"),
        "{}",
        mail[0]
    );
    assert!(
        mail[0].ends_with(&format!(">{inside}</message>")),
        "{}",
        mail[0]
    );
}

///
#[tokio::test]
async fn a_message_of_an_unknown_type_is_delivered_as_normal() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        server.login("romeo", "orchard").await,
        server.login("juliet", "balcony").await,
    );
    romeo.mail();
    juliet
        .send("<message type='whisper' to='romeo@example.org'><body>a</body></message>")
        .await;
    juliet
        .send("<message to='romeo@example.org'><body>b</body></message>")
        .await;
    let mail = romeo.outbound();
    assert_eq!(mail.len(), 2);
    assert!(
        mail.iter()
            .all(|one| kind(one) == Kind::Message(MessageType::Normal))
    );
}

/// P-15
#[tokio::test]
async fn groupchat_to_the_bare_address_is_unavailable_whoever_is_there() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    juliet.mail();
    for to in [
        "romeo@example.org",
        "nurse@example.org",
        "nobody@example.org",
    ] {
        juliet
            .send(&format!(
                "<message type='groupchat' to='{to}'><body>a</body></message>"
            ))
            .await;
        assert_eq!(
            condition(&juliet.next().await),
            "service-unavailable",
            "{to}"
        );
    }
    assert!(romeo.mail().is_empty());
}

/// P-16
#[tokio::test]
async fn chat_to_a_full_address_that_is_gone_goes_to_the_bare_one() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    juliet
        .send("<message type='chat' to='romeo@example.org/gone'><body>a</body></message>")
        .await;
    assert_eq!(body(&romeo.next().await), "a");
    juliet
        .send("<message type='chat' to='nurse@example.org/gone'><body>b</body></message>")
        .await;
    assert_eq!(server.stored("nurse").await.len(), 1);
}

/// RFC 6121 §8.5.3.2.1
#[tokio::test]
async fn other_messages_to_a_full_address_that_is_gone_are_refused_or_vanish() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    juliet.mail();
    for (kind, answered) in [
        ("normal", true),
        ("groupchat", true),
        ("headline", false),
        ("error", false),
    ] {
        juliet
            .send(&format!(
                "<message type='{kind}' to='romeo@example.org/gone'><body>a</body></message>"
            ))
            .await;
        let conditions: Vec<_> = juliet.elements().iter().map(condition).collect();
        let expected: &[&str] = if answered {
            &["service-unavailable"]
        } else {
            &[]
        };
        assert_eq!(conditions, expected, "{kind}");
    }
    assert!(romeo.mail().is_empty());
    assert!(server.stored("romeo").await.is_empty());
}

/// P-17, X-54
#[tokio::test]
async fn a_message_to_nobody_gets_one_service_unavailable() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.mail();
    for kind in ["chat", "normal"] {
        juliet
            .send(&format!(
                "<message type='{kind}' id='m' to='nobody@example.org'><body>a</body></message>"
            ))
            .await;
        let error = juliet.next().await;
        assert_eq!(condition(&error), "service-unavailable");
        assert_eq!(error.attr("from"), Some("nobody@example.org"));
        assert_eq!(error.attr("id"), Some("m"));
        assert!(juliet.mail().is_empty());
    }
}

///
#[tokio::test]
async fn an_error_is_never_answered() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.mail();
    for to in [
        "nobody@example.org",
        "romeo@example.org/x",
        "elsewhere.example",
        "example.org",
    ] {
        for stanza in ["message", "presence", "iq id='i'"] {
            juliet
                .send(&format!("<{stanza} type='error' to='{to}'/>"))
                .await;
        }
    }
    assert!(juliet.settle().await.is_empty());
}

///
#[tokio::test]
async fn a_domain_that_cannot_be_reached_is_told_for_each_stanza_that_asks() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.mail();
    for (stanza, answered) in [
        (
            "<message id='1' to='a@elsewhere.example'><body>a</body></message>",
            true,
        ),
        (
            "<iq type='get' id='1' to='elsewhere.example'><query xmlns='q'/></iq>",
            true,
        ),
        ("<iq type='result' id='1' to='elsewhere.example'/>", false),
        (
            "<presence type='subscribe' id='1' to='a@elsewhere.example'/>",
            true,
        ),
        ("<presence id='1' to='room@elsewhere.example/me'/>", true),
        (
            "<presence type='unavailable' id='1' to='room@elsewhere.example/me'/>",
            false,
        ),
    ] {
        juliet.send(stanza).await;
        let mail = juliet.elements();
        assert_eq!(mail.len(), usize::from(answered), "{stanza}");
        for error in mail {
            assert_eq!(condition(&error), "remote-server-not-found");
            assert_eq!(error.attr("id"), Some("1"));
        }
    }
}

///
#[tokio::test]
async fn a_message_without_an_address_goes_to_the_own_account_in_order() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.mail();
    for i in 0..100 {
        juliet
            .send(&format!("<message><body>{i}</body></message>"))
            .await;
    }
    let mail = juliet.elements();
    let bodies: Vec<String> = mail.iter().map(body).collect();
    assert_eq!(bodies, (0..100).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(mail[0].attr("to"), Some("juliet@example.org"));
}

///
#[tokio::test]
async fn accounts_compare_after_case_mapping_and_resources_with_case() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "Orchard").await;
    romeo
        .send("<presence><priority>-1</priority></presence>")
        .await;
    romeo.mail();
    juliet
        .send("<message to='ROMEO@Example.ORG/Orchard'><body>a</body></message>")
        .await;
    assert_eq!(romeo.mail().len(), 1);
    juliet
        .send("<message to='romeo@example.org/orchard'><body>a</body></message>")
        .await;
    assert!(romeo.mail().is_empty());
}

#[tokio::test]
async fn headlines_reach_who_is_there_and_nobody_else() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    for to in ["romeo", "nurse", "nobody"] {
        juliet
            .send(&format!(
                "<message type='headline' to='{to}@example.org'><body>a</body></message>"
            ))
            .await;
    }
    assert_eq!(romeo.mail().len(), 1);
    assert!(server.stored("nurse").await.is_empty());
}

/// Messages to who is here take no future, so that nothing is boxed on the hot path.
#[tokio::test]
async fn a_message_to_who_is_here_is_routed_at_once() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let _romeo = server.login("romeo", "orchard").await;
    for to in ["romeo@example.org", "romeo@example.org/orchard"] {
        let routed = juliet.hand_in(&format!("<message to='{to}'><body>a</body></message>"));
        assert!(matches!(routed, Routed::Done), "{to}");
    }
}

#[tokio::test]
async fn a_sender_waits_for_a_recipient_that_reads_slowly() {
    let bounds = SessionsOptions {
        send_queue: 4,
        ..bounds()
    };
    let server = Server::with(options(), bounds).await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    let message = "<message to='romeo@example.org/orchard'><body>a</body></message>";
    for _ in 0..4 {
        assert!(matches!(juliet.hand_in(message), Routed::Done));
    }
    let Routed::Pressed(slow) = juliet.hand_in(message) else {
        panic!("not pressed")
    };
    assert_eq!(slow.id(), romeo.session.id());
}
