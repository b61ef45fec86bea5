use super::*;

/// The presences in a mailbox, as (from, type).
fn presences(client: &Client) -> Vec<(String, String)> {
    let presences = client
        .elements()
        .into_iter()
        .filter(|stanza| stanza.name() == "presence");
    presences
        .map(|presence| {
            let attribute = |name| presence.attr(name).unwrap_or_default().to_owned();
            (attribute("from"), attribute("type"))
        })
        .collect()
}

fn seen(from: &str, kind: &str) -> (String, String) {
    (
        format!("{from}@example.org/{}", resource(from)),
        kind.to_owned(),
    )
}

fn resource(name: &str) -> &'static str {
    match name {
        "romeo" => "orchard",
        "juliet" => "balcony",
        _ => "house",
    }
}

async fn login(server: &Server, name: &str) -> Client {
    server.login(name, resource(name)).await
}

/// P-12
#[tokio::test]
async fn presence_goes_to_contacts_and_own_resources_and_to_nobody_else() {
    let server = Server::start().await;
    let (romeo, juliet, nurse) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
        login(&server, "nurse").await,
    );
    server.befriend(&romeo, &juliet).await;
    let garden = server.login("romeo", "garden").await;
    for client in [&romeo, &juliet, &nurse, &garden] {
        client.mail();
    }
    romeo.send("<presence><show>away</show></presence>").await;
    assert_eq!(presences(&juliet), [seen("romeo", "")]);
    assert_eq!(presences(&garden), [seen("romeo", "")]);
    assert_eq!(presences(&romeo), [seen("romeo", "")]);
    assert!(presences(&nurse).is_empty());
}

/// RFC 6121 §4.3
#[tokio::test]
async fn initial_presence_brings_that_of_contacts_and_own_resources() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
    );
    server.befriend(&romeo, &juliet).await;
    let garden = server.bind("romeo", "garden").await;
    garden.send("<presence/>").await;
    let mut seen_by_garden = presences(&garden);
    seen_by_garden.sort();
    let own = ("romeo@example.org/garden".to_owned(), String::new());
    assert_eq!(seen_by_garden, [seen("juliet", ""), own, seen("romeo", "")]);
    garden.send("<presence/>").await;
    assert_eq!(presences(&garden).len(), 1, "an update brings only itself");
}

/// P-28
#[tokio::test]
async fn the_last_word_of_a_session_is_passed_on() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
    );
    server.befriend(&romeo, &juliet).await;
    juliet.mail();
    romeo
        .send("<presence type='unavailable'><status>good night</status></presence>")
        .await;
    let mail = juliet.elements();
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0].attr("type"), Some("unavailable"));
    assert_eq!(
        mail[0].child("status", "jabber:client").unwrap().text(),
        "good night"
    );
}

#[tokio::test]
async fn the_end_of_a_session_is_told_once_and_hibernation_not_at_all() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
    );
    server.befriend(&romeo, &juliet).await;
    juliet.mail();
    romeo.hibernate(sm());
    assert!(presences(&juliet).is_empty());
    romeo.end().await;
    assert_eq!(presences(&juliet), [seen("romeo", "unavailable")]);
    let romeo = login(&server, "romeo").await;
    romeo.send("<presence type='unavailable'/>").await;
    juliet.mail();
    romeo.end().await;
    assert!(presences(&juliet).is_empty(), "it had said so itself");
}

/// P-25
#[tokio::test]
async fn directed_presence_is_followed_by_unavailable_and_leaks_no_broadcasts() {
    let server = Server::start().await;
    let (romeo, nurse) = (login(&server, "romeo").await, login(&server, "nurse").await);
    nurse.mail();
    romeo.send("<presence to='nurse@example.org/house'/>").await;
    assert_eq!(presences(&nurse), [seen("romeo", "")]);
    romeo.send("<presence><show>away</show></presence>").await;
    assert!(presences(&nurse).is_empty());
    romeo.end().await;
    assert_eq!(presences(&nurse), [seen("romeo", "unavailable")]);
}

/// P-25
#[tokio::test]
async fn directed_presence_ends_with_the_broadcast_of_unavailable_too() {
    let server = Server::start().await;
    let (romeo, nurse) = (login(&server, "romeo").await, login(&server, "nurse").await);
    nurse.mail();
    romeo.send("<presence to='nurse@example.org'/>").await;
    romeo.send("<presence type='unavailable'/>").await;
    assert_eq!(
        presences(&nurse),
        [seen("romeo", ""), seen("romeo", "unavailable")]
    );
    romeo.end().await;
    assert!(presences(&nurse).is_empty());
}

#[tokio::test]
async fn directed_unavailable_ends_directed_presence() {
    let server = Server::start().await;
    let (romeo, nurse) = (login(&server, "romeo").await, login(&server, "nurse").await);
    nurse.mail();
    romeo.send("<presence to='nurse@example.org'/>").await;
    romeo
        .send("<presence type='unavailable' to='nurse@example.org'/>")
        .await;
    romeo.end().await;
    assert_eq!(
        presences(&nurse),
        [seen("romeo", ""), seen("romeo", "unavailable")]
    );
}

#[tokio::test]
async fn a_contact_hears_of_the_end_once_also_if_it_got_directed_presence() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
    );
    server.befriend(&romeo, &juliet).await;
    romeo.send("<presence to='juliet@example.org'/>").await;
    juliet.mail();
    romeo.end().await;
    assert_eq!(presences(&juliet), [seen("romeo", "unavailable")]);
}

/// P-19
#[tokio::test]
async fn probes_of_strangers_reveal_nothing() {
    let server = Server::start().await;
    let (romeo, juliet, nurse) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
        login(&server, "nurse").await,
    );
    server.befriend(&romeo, &juliet).await;
    nurse.mail();
    for to in [
        "romeo@example.org",
        "romeo@example.org/orchard",
        "nobody@example.org",
    ] {
        nurse
            .send(&format!("<presence type='probe' to='{to}'/>"))
            .await;
    }
    assert!(nurse.mail().is_empty());
    juliet
        .send("<presence type='probe' to='romeo@example.org'/>")
        .await;
    assert_eq!(presences(&juliet), [seen("romeo", "")]);
}

/// P-27
#[tokio::test]
async fn a_priority_out_of_range_harms_nothing() {
    let server = Server::start().await;
    let (romeo, juliet) = (
        login(&server, "romeo").await,
        login(&server, "juliet").await,
    );
    for priority in ["999", "-999", "x", ""] {
        romeo
            .send(&format!(
                "<presence><priority>{priority}</priority></presence>"
            ))
            .await;
    }
    romeo.mail();
    juliet
        .send("<message to='romeo@example.org'><body>a</body></message>")
        .await;
    assert_eq!(romeo.settle().await.len(), 1);
}

#[tokio::test]
async fn directed_presence_has_a_bound() {
    let server = Server::start().await;
    let romeo = login(&server, "romeo").await;
    romeo.mail();
    for i in 0..1001 {
        romeo
            .send(&format!("<presence to='u{i}@example.org'/>"))
            .await;
    }
    assert_eq!(condition(&romeo.next().await), "resource-constraint");
    assert!(romeo.mail().is_empty());
}
