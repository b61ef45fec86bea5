use super::*;

const NS: &str = "jabber:iq:roster";

fn set(item: &str) -> String {
    format!("<query xmlns='{NS}'>{item}</query>")
}

/// The items of a result or a push.
fn items(iq: &Element) -> Vec<Element> {
    iq.child("query", NS)
        .map(|query| query.children().cloned().collect())
        .unwrap_or_default()
}

async fn roster(client: &Client) -> Vec<Element> {
    items(
        &client
            .ask("get", "", &format!("<query xmlns='{NS}'/>"))
            .await,
    )
}

/// P-01, P-02
#[tokio::test]
async fn a_set_is_pushed_to_every_resource_that_asked_and_to_no_other() {
    let server = Server::start().await;
    let orchard = server.bind("romeo", "orchard").await;
    let garden = server.bind("romeo", "garden").await;
    let cellar = server.bind("romeo", "cellar").await;
    assert!(roster(&orchard).await.is_empty());
    assert!(roster(&garden).await.is_empty());
    let item = "<item jid='juliet@example.org' name='Jule &amp; co'><group>Friends</group></item>";
    orchard
        .send(&format!("<iq type='set' id='s'>{}</iq>", set(item)))
        .await;
    for client in [&orchard, &garden] {
        let push = client.next().await;
        assert_eq!(push.attr("type"), Some("set"));
        assert_eq!(push.attr("from"), None);
        assert_eq!(push.attr("to"), Some(client.session.jid().as_str()));
        let pushed = &items(&push)[0];
        assert_eq!(pushed.attr("name"), Some("Jule & co"));
        assert_eq!(pushed.attr("subscription"), Some("none"));
        assert_eq!(pushed.child("group", NS).unwrap().text(), "Friends");
    }
    assert_eq!(orchard.next().await.attr("type"), Some("result"));
    assert!(garden.mail().is_empty());
    assert!(cellar.mail().is_empty());
    assert_eq!(roster(&cellar).await.len(), 1);
}

/// P-05
#[tokio::test]
async fn a_set_that_is_not_one_good_item_is_refused() {
    let server = Server::start().await;
    let romeo = server.bind("romeo", "orchard").await;
    let long = "n".repeat(1024);
    for (inside, expected) in [
        (String::new(), "bad-request"),
        (
            "<item jid='a@example.org'/><item jid='b@example.org'/>".to_owned(),
            "bad-request",
        ),
        ("<item/>".to_owned(), "bad-request"),
        ("<item jid='@@'/>".to_owned(), "bad-request"),
        ("<item jid='a@example.org/r'/>".to_owned(), "bad-request"),
        ("<contact jid='a@example.org'/>".to_owned(), "bad-request"),
        (
            "<item jid='a@example.org'><group>g</group><group>g</group></item>".to_owned(),
            "bad-request",
        ),
        (
            "<item jid='a@example.org'><group/></item>".to_owned(),
            "not-acceptable",
        ),
        (
            format!("<item jid='a@example.org' name='{long}'/>"),
            "not-acceptable",
        ),
        (
            format!("<item jid='a@example.org'><group>{long}</group></item>"),
            "not-acceptable",
        ),
        ("<item jid='romeo@example.org'/>".to_owned(), "not-allowed"),
    ] {
        let answer = romeo.ask("set", "", &set(&inside)).await;
        assert_eq!(condition(&answer), expected, "{inside}");
    }
    assert!(roster(&romeo).await.is_empty());
}

/// P-06
#[tokio::test]
async fn the_roster_of_another_account_is_closed() {
    let server = Server::start().await;
    let romeo = server.bind("romeo", "orchard").await;
    for to in ["juliet@example.org", "nobody@example.org"] {
        for kind in ["get", "set"] {
            let answer = romeo
                .ask(kind, to, &set("<item jid='nurse@example.org'/>"))
                .await;
            assert_eq!(condition(&answer), "forbidden", "{to}");
        }
    }
}

/// P-07
#[tokio::test]
async fn removing_what_is_not_there_is_told() {
    let server = Server::start().await;
    let romeo = server.bind("romeo", "orchard").await;
    let remove = set("<item jid='juliet@example.org' subscription='remove'/>");
    assert_eq!(
        condition(&romeo.ask("set", "", &remove).await),
        "item-not-found"
    );
    romeo
        .ask("set", "", &set("<item jid='juliet@example.org'/>"))
        .await;
    assert_eq!(
        romeo.ask("set", "", &remove).await.attr("type"),
        Some("result")
    );
    assert!(roster(&romeo).await.is_empty());
}

/// RFC 6121 §2.6
#[tokio::test]
async fn a_client_that_has_the_version_gets_an_empty_result() {
    let server = Server::start().await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo
        .ask("set", "", &set("<item jid='juliet@example.org'/>"))
        .await;
    let query = |version: &str| format!("<query xmlns='{NS}' ver='{version}'/>");
    let all = romeo.ask("get", "", &query("")).await;
    let version = all
        .child("query", NS)
        .unwrap()
        .attr("ver")
        .unwrap()
        .to_owned();
    assert_eq!(
        romeo
            .ask("get", "", &query(&version))
            .await
            .children()
            .count(),
        0
    );
    romeo
        .send(&format!(
            "<iq type='set' id='s'>{}</iq>",
            set("<item jid='nurse@example.org'/>")
        ))
        .await;
    let push = romeo.next().await;
    let pushed = push
        .child("query", NS)
        .unwrap()
        .attr("ver")
        .unwrap()
        .to_owned();
    assert_ne!(pushed, version);
    romeo.mail();
    assert_eq!(
        items(&romeo.ask("get", "", &query(&version)).await).len(),
        2
    );
    assert_eq!(
        romeo
            .ask("get", "", &query(&pushed))
            .await
            .children()
            .count(),
        0
    );
}

/// L-18
#[tokio::test]
async fn a_roster_has_a_bound() {
    let server = Server::with(
        LocalOptions {
            roster_items: 2,
            ..options()
        },
        bounds(),
    )
    .await;
    let romeo = server.bind("romeo", "orchard").await;
    for (name, kind) in [
        ("a", "result"),
        ("b", "result"),
        ("c", "error"),
        ("a", "result"),
    ] {
        let answer = romeo
            .ask(
                "set",
                "",
                &set(&format!("<item jid='{name}@example.org'/>")),
            )
            .await;
        assert_eq!(answer.attr("type"), Some(kind), "{name}");
    }
    romeo
        .send("<presence type='subscribe' to='juliet@example.org'/>")
        .await;
    assert_eq!(condition(&romeo.next().await), "not-allowed");
}

/// P-10: removal sends unavailable and takes both subscriptions back.
#[tokio::test]
async fn removing_a_contact_parts_the_two() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    let juliet = server.login("juliet", "balcony").await;
    server.befriend(&romeo, &juliet).await;
    let remove = set("<item jid='juliet@example.org' subscription='remove'/>");
    romeo
        .send(&format!("<iq type='set' id='s'>{remove}</iq>"))
        .await;
    let at_juliet = juliet.elements();
    let kinds: Vec<_> = at_juliet
        .iter()
        .filter(|stanza| stanza.name() == "presence")
        .map(|stanza| (stanza.attr("from").unwrap(), stanza.attr("type").unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("romeo@example.org", "unsubscribe"),
            ("romeo@example.org", "unsubscribed"),
            ("romeo@example.org/orchard", "unavailable"),
        ]
    );
    let last = at_juliet
        .iter()
        .rfind(|stanza| stanza.name() == "iq")
        .unwrap();
    assert_eq!(items(last)[0].attr("subscription"), Some("none"));
    let at_romeo = romeo.elements();
    assert_eq!(items(&at_romeo[0])[0].attr("subscription"), Some("remove"));
    let gone = at_romeo
        .iter()
        .find(|stanza| stanza.name() == "presence")
        .unwrap();
    assert_eq!(gone.attr("type"), Some("unavailable"));
    romeo.send("<presence><show>away</show></presence>").await;
    assert!(juliet.mail().is_empty());
}
