use super::*;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

///
#[tokio::test]
async fn an_unknown_payload_is_unavailable_to_account_and_domain_alike() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    for to in [
        "",
        "juliet@example.org",
        "example.org",
        "romeo@example.org",
        "example.org/x",
    ] {
        for kind in ["get", "set"] {
            let answer = juliet
                .ask(kind, to, "<query xmlns='urn:unheard:of'/>")
                .await;
            assert_eq!(condition(&answer), "service-unavailable", "{to}");
            let from = if to.is_empty() {
                "juliet@example.org"
            } else {
                to
            };
            assert_eq!(answer.attr("from"), Some(from));
            assert_eq!(answer.attr("to"), Some("juliet@example.org/balcony"));
        }
    }
}

///
#[tokio::test]
async fn requests_to_nobody_are_refused_and_answers_to_nothing_vanish() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let answer = juliet
        .ask("get", "romeo@example.org/gone", "<q xmlns='q'/>")
        .await;
    assert_eq!(condition(&answer), "service-unavailable");
    for to in [
        "romeo@example.org/gone",
        "romeo@example.org",
        "juliet@example.org",
        "example.org",
    ] {
        juliet
            .send(&format!("<iq type='result' id='1' to='{to}'/>"))
            .await;
        juliet
            .send(&format!("<iq type='error' id='1' to='{to}'/>"))
            .await;
    }
    assert!(juliet.mail().is_empty());
}

/// P-31
#[tokio::test]
async fn requests_and_answers_pass_between_full_addresses() {
    let server = Server::start().await;
    let juliet = server.bind("juliet", "balcony").await;
    let romeo = server.bind("romeo", "orchard").await;
    juliet
        .send("<iq type='get' id='7' to='romeo@example.org/orchard'><q xmlns='q'/></iq>")
        .await;
    let request = romeo.next().await;
    assert_eq!(request.attr("from"), Some("juliet@example.org/balcony"));
    assert_eq!(request.attr("id"), Some("7"));
    romeo
        .send("<iq type='result' id='7' to='juliet@example.org/balcony'/>")
        .await;
    assert_eq!(juliet.next().await.attr("id"), Some("7"));
}

/// P-30
#[tokio::test]
async fn the_server_answers_for_another_account_whether_it_is_there_or_not() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    for to in [
        "romeo@example.org",
        "nurse@example.org",
        "nobody@example.org",
    ] {
        for payload in [
            "<vCard xmlns='vcard-temp'/>",
            "<ping xmlns='urn:xmpp:ping'/>",
        ] {
            let answer = juliet.ask("get", to, payload).await;
            assert_eq!(condition(&answer), "service-unavailable", "{to}");
        }
    }
    assert!(romeo.mail().is_empty());
}

/// P-24
#[tokio::test]
async fn domain_and_account_answer_a_ping() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    for to in ["", "juliet@example.org", "example.org"] {
        let answer = juliet.ask("get", to, "<ping xmlns='urn:xmpp:ping'/>").await;
        assert_eq!(answer.attr("type"), Some("result"), "{to}");
        assert_eq!(answer.children().count(), 0);
    }
}

/// D-06
#[tokio::test]
async fn the_domain_says_what_it_is_and_each_feature_once() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let answer = juliet
        .ask("get", "example.org", &format!("<query xmlns='{INFO}'/>"))
        .await;
    let query = answer.child("query", INFO).unwrap();
    let identity = query.child("identity", INFO).unwrap();
    assert_eq!(
        (identity.attr("category"), identity.attr("type")),
        (Some("server"), Some("im"))
    );
    let mut features: Vec<_> = query
        .children()
        .filter_map(|child| child.attr("var"))
        .collect();
    for feature in [
        INFO,
        ITEMS,
        "urn:xmpp:ping",
        "urn:xmpp:carbons:2",
        "urn:xmpp:time",
    ] {
        assert!(features.contains(&feature), "{feature}");
    }
    let all = features.len();
    features.dedup();
    assert_eq!(features.len(), all);
}

/// D-07
#[tokio::test]
async fn the_own_account_and_the_items_of_the_domain_answer() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let info = juliet
        .ask(
            "get",
            "juliet@example.org",
            &format!("<query xmlns='{INFO}'/>"),
        )
        .await;
    let identity = info
        .child("query", INFO)
        .unwrap()
        .child("identity", INFO)
        .unwrap();
    assert_eq!(identity.attr("category"), Some("account"));
    for to in ["example.org", "juliet@example.org"] {
        let items = juliet
            .ask("get", to, &format!("<query xmlns='{ITEMS}'/>"))
            .await;
        assert_eq!(items.attr("type"), Some("result"), "{to}");
    }
}

/// D-08
#[tokio::test]
async fn a_stranger_learns_nothing_of_an_account_and_a_friend_does() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    juliet.mail();
    let query = format!("<query xmlns='{INFO}'/>");
    for to in [
        "romeo@example.org",
        "nurse@example.org",
        "nobody@example.org",
    ] {
        assert_eq!(
            condition(&juliet.ask("get", to, &query).await),
            "service-unavailable"
        );
    }
    server.befriend(&juliet, &romeo).await;
    let answer = juliet.ask("get", "romeo@example.org", &query).await;
    assert_eq!(answer.attr("type"), Some("result"));
}

/// D-09
#[tokio::test]
async fn an_unknown_node_is_not_found() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    for namespace in [INFO, ITEMS] {
        let query = format!("<query xmlns='{namespace}' node='nothing'/>");
        assert_eq!(
            condition(&juliet.ask("get", "example.org", &query).await),
            "item-not-found"
        );
    }
}

#[tokio::test]
async fn version_time_and_the_session_of_old_are_answered() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let version = juliet
        .ask("get", "example.org", "<query xmlns='jabber:iq:version'/>")
        .await;
    let query = version.child("query", "jabber:iq:version").unwrap();
    assert_eq!(
        query.child("name", "jabber:iq:version").unwrap().text(),
        "stanzad"
    );
    let time = juliet
        .ask("get", "example.org", "<time xmlns='urn:xmpp:time'/>")
        .await;
    let time = time.child("time", "urn:xmpp:time").unwrap();
    assert!(
        time.child("utc", "urn:xmpp:time")
            .unwrap()
            .text()
            .ends_with('Z')
    );
    let session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    assert_eq!(
        juliet.ask("set", "", session).await.attr("type"),
        Some("result")
    );
}

/// What Converse asks after login and must hear something of.
#[tokio::test]
async fn everything_that_converse_asks_is_answered() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    for (kind, to, payload) in [
        ("get", "", "<query xmlns='jabber:iq:roster' ver=''/>"),
        ("get", "", "<blocklist xmlns='urn:xmpp:blocking'/>"),
        (
            "get",
            "",
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'/></pubsub>",
        ),
        ("get", "juliet@example.org", "<vCard xmlns='vcard-temp'/>"),
        ("set", "", "<query xmlns='urn:xmpp:mam:2' queryid='1'/>"),
        ("set", "", "<enable xmlns='urn:xmpp:carbons:2'/>"),
        (
            "get",
            "conference.elsewhere.example",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        ),
    ] {
        let answer = juliet.ask(kind, to, payload).await;
        assert!(
            matches!(answer.attr("type"), Some("result" | "error")),
            "{payload}"
        );
        assert!(juliet.mail().is_empty());
    }
}
