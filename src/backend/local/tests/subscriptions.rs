use super::*;

/// What a client saw, in short: `subscribe romeo`, `push juliet from ask`, `available romeo/orchard`.
fn summary(client: &Client) -> Vec<String> {
    client.elements().iter().map(describe).collect()
}

fn describe(stanza: &Element) -> String {
    let short = |jid: &str| jid.replace("@example.org", "");
    if let Some(query) = stanza.child("query", "jabber:iq:roster") {
        let item = query.children().next().expect("an item");
        let mut text = format!("push {}", short(item.attr("jid").unwrap()));
        for attribute in ["subscription", "ask", "approved"] {
            if let Some(value) = item.attr(attribute) {
                let value = if attribute == "subscription" {
                    value
                } else {
                    attribute
                };
                text.push_str(&format!(" {value}"));
            }
        }
        return text;
    }
    let kind = stanza.attr("type").unwrap_or("available");
    format!("{kind} {}", short(stanza.attr("from").unwrap()))
}

/// P-10
#[tokio::test]
async fn two_become_contacts_step_by_step() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    let juliet = server.login("juliet", "balcony").await;
    romeo.mail();
    juliet.mail();
    romeo
        .send("<presence type='subscribe' to='juliet@example.org'/>")
        .await;
    assert_eq!(summary(&romeo), ["push juliet none ask"]);
    assert_eq!(summary(&juliet), ["subscribe romeo"]);
    juliet
        .send("<presence type='subscribed' to='romeo@example.org'/>")
        .await;
    assert_eq!(summary(&juliet), ["push romeo from"]);
    assert_eq!(
        summary(&romeo),
        [
            "subscribed juliet",
            "push juliet to",
            "available juliet/balcony"
        ]
    );
    juliet
        .send("<presence type='subscribe' to='romeo@example.org'/>")
        .await;
    assert_eq!(summary(&juliet), ["push romeo from ask"]);
    assert_eq!(summary(&romeo), ["subscribe juliet"]);
    romeo
        .send("<presence type='subscribed' to='juliet@example.org'/>")
        .await;
    assert_eq!(summary(&romeo), ["push juliet both"]);
    assert_eq!(
        summary(&juliet),
        [
            "subscribed romeo",
            "push romeo both",
            "available romeo/orchard"
        ]
    );
}

/// P-10, RFC 6121 §3.2, §3.3
#[tokio::test]
async fn a_subscription_ends_from_either_side() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    let juliet = server.login("juliet", "balcony").await;
    server.befriend(&romeo, &juliet).await;
    romeo
        .send("<presence type='unsubscribed' to='juliet@example.org'/>")
        .await;
    assert_eq!(summary(&romeo), ["push juliet to"]);
    assert_eq!(
        summary(&juliet),
        [
            "unsubscribed romeo",
            "push romeo from",
            "unavailable romeo/orchard"
        ]
    );
    romeo
        .send("<presence type='unsubscribe' to='juliet@example.org'/>")
        .await;
    assert_eq!(
        summary(&romeo),
        ["push juliet none", "unavailable juliet/balcony"]
    );
    assert_eq!(summary(&juliet), ["unsubscribe romeo", "push romeo none"]);
}

/// P-11
#[tokio::test]
async fn a_request_to_an_offline_account_comes_at_each_login_until_it_is_answered() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    for _ in 0..2 {
        let ask =
            "<presence type='subscribe' to='juliet@example.org'><status>!</status></presence>";
        romeo.send(ask).await;
    }
    for _ in 0..2 {
        let juliet = server.bind("juliet", "balcony").await;
        juliet
            .send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
            .await;
        assert_eq!(
            juliet.elements()[0]
                .child("query", "jabber:iq:roster")
                .unwrap()
                .children()
                .count(),
            0
        );
        juliet.send("<presence/>").await;
        let requests: Vec<_> = juliet
            .settle()
            .await
            .into_iter()
            .filter(|stanza| stanza.attr("type") == Some("subscribe"))
            .collect();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].attr("from"), Some("romeo@example.org"));
        assert_eq!(
            requests[0].child("status", "jabber:client").unwrap().text(),
            "!"
        );
        juliet.end().await;
    }
    let juliet = server.login("juliet", "balcony").await;
    juliet
        .send("<presence type='unsubscribed' to='romeo@example.org'/>")
        .await;
    juliet.end().await;
    let juliet = server.login("juliet", "balcony").await;
    assert!(juliet.mail().is_empty());
    romeo.mail();
    assert!(
        server
            .store
            .roster(&bare("juliet"))
            .await
            .unwrap()
            .unwrap()
            .pending
            .is_empty()
    );
}

/// RFC 6121 §3.4
#[tokio::test]
async fn a_request_that_was_approved_beforehand_is_granted_at_once() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    let juliet = server.login("juliet", "balcony").await;
    romeo.mail();
    juliet.mail();
    juliet
        .send("<presence type='subscribed' to='romeo@example.org'/>")
        .await;
    assert_eq!(summary(&juliet), ["push romeo none approved"]);
    assert!(romeo.mail().is_empty());
    romeo
        .send("<presence type='subscribe' to='juliet@example.org'/>")
        .await;
    assert_eq!(summary(&juliet), ["push romeo from approved"]);
    assert_eq!(
        summary(&romeo),
        [
            "push juliet none ask",
            "subscribed juliet",
            "push juliet to",
            "available juliet/balcony"
        ]
    );
}

#[tokio::test]
async fn subscriptions_outlive_a_login() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    let juliet = server.login("juliet", "balcony").await;
    server.befriend(&romeo, &juliet).await;
    romeo.end().await;
    juliet.end().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    assert!(summary(&romeo).contains(&"available juliet/balcony".to_owned()));
    assert_eq!(summary(&juliet), ["available romeo/orchard"]);
}

#[tokio::test]
async fn requests_to_nobody_and_to_oneself_lead_nowhere() {
    let server = Server::start().await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    romeo
        .send("<presence type='subscribe' to='nobody@example.org'/>")
        .await;
    assert_eq!(summary(&romeo), ["push nobody none ask"]);
    romeo
        .send("<presence type='subscribe' to='romeo@example.org'/>")
        .await;
    assert!(romeo.mail().is_empty());
    romeo.send("<presence type='subscribe'/>").await;
    assert_eq!(condition(&romeo.next().await), "bad-request");
}
