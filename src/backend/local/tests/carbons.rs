use super::*;

const NS: &str = "urn:xmpp:carbons:2";

async fn with_carbons(server: &Server, name: &str, resource: &str) -> Client {
    let client = server.login(name, resource).await;
    let answer = client
        .ask("set", "", &format!("<enable xmlns='{NS}'/>"))
        .await;
    assert_eq!(answer.attr("type"), Some("result"));
    client
}

/// The message in a carbon.
fn forwarded<'a>(carbon: &'a Element, direction: &str) -> &'a Element {
    let wrapped = carbon.child(direction, NS).expect(direction);
    let forwarded = wrapped
        .child("forwarded", "urn:xmpp:forward:0")
        .expect("forwarded");
    forwarded
        .child("message", "jabber:client")
        .expect("a message")
}

/// P-20
#[tokio::test]
async fn both_sides_get_copies_from_their_own_bare_address() {
    let server = Server::start().await;
    let (orchard, garden) = (
        with_carbons(&server, "romeo", "orchard").await,
        with_carbons(&server, "romeo", "garden").await,
    );
    let (balcony, chamber) = (
        with_carbons(&server, "juliet", "balcony").await,
        with_carbons(&server, "juliet", "chamber").await,
    );
    for client in [&orchard, &garden, &balcony, &chamber] {
        client.mail();
    }
    balcony
        .send("<message type='chat' to='romeo@example.org/orchard' id='1'><body>a</body></message>")
        .await;
    assert_eq!(
        orchard.elements().len(),
        1,
        "the recipient gets the message alone"
    );
    assert!(balcony.mail().is_empty(), "the sender gets no copy");
    let received = &garden.elements()[0];
    assert_eq!(received.attr("from"), Some("romeo@example.org"));
    assert_eq!(received.attr("to"), Some("romeo@example.org/garden"));
    assert_eq!(received.attr("type"), Some("chat"));
    let message = forwarded(received, "received");
    assert_eq!(message.attr("from"), Some("juliet@example.org/balcony"));
    assert_eq!(body(message), "a");
    let sent = &chamber.elements()[0];
    assert_eq!(sent.attr("from"), Some("juliet@example.org"));
    assert_eq!(
        forwarded(sent, "sent").attr("to"),
        Some("romeo@example.org/orchard")
    );
}

/// P-20: who got the message at the bare address gets no copy of it.
#[tokio::test]
async fn nobody_gets_a_message_twice() {
    let server = Server::start().await;
    let orchard = with_carbons(&server, "romeo", "orchard").await;
    let garden = with_carbons(&server, "romeo", "garden").await;
    let juliet = server.login("juliet", "balcony").await;
    orchard.mail();
    garden.mail();
    juliet
        .send("<message type='chat' to='romeo@example.org'><body>a</body></message>")
        .await;
    assert_eq!((orchard.mail().len(), garden.mail().len()), (1, 1));
    orchard
        .send("<message type='chat' to='romeo@example.org'><body>to me</body></message>")
        .await;
    assert_eq!((orchard.mail().len(), garden.mail().len()), (1, 1));
    orchard
        .send("<message type='chat' to='romeo@example.org/garden'><body>to me</body></message>")
        .await;
    assert_eq!((orchard.mail().len(), garden.mail().len()), (0, 1));
}

/// P-20
#[tokio::test]
async fn none_unasked_and_none_after_disable() {
    let server = Server::start().await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = server.login("romeo", "garden").await;
    let juliet = server.login("juliet", "balcony").await;
    let message = "<message type='chat' to='romeo@example.org/orchard'><body>a</body></message>";
    orchard.mail();
    garden.mail();
    juliet.send(message).await;
    assert!(garden.mail().is_empty());
    garden
        .ask("set", "", &format!("<enable xmlns='{NS}'/>"))
        .await;
    juliet.send(message).await;
    assert_eq!(garden.mail().len(), 1);
    garden
        .ask("set", "", &format!("<disable xmlns='{NS}'/>"))
        .await;
    juliet.send(message).await;
    assert!(garden.mail().is_empty());
}

/// P-20, XEP-0280 §6
#[tokio::test]
async fn what_is_private_or_of_a_room_is_not_copied() {
    let server = Server::start().await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = with_carbons(&server, "romeo", "garden").await;
    let juliet = server.login("juliet", "balcony").await;
    let body = "<body>a</body>";
    for (kind, inside, copied) in [
        ("chat", body.to_owned(), true),
        ("chat", format!("{body}<private xmlns='{NS}'/>"), false),
        (
            "chat",
            format!("{body}<no-copy xmlns='urn:xmpp:hints'/>"),
            false,
        ),
        (
            "chat",
            format!("{body}<x xmlns='http://jabber.org/protocol/muc#user'/>"),
            false,
        ),
        ("normal", body.to_owned(), true),
        ("normal", "<x xmlns='urn:x'/>".to_owned(), false),
        (
            "normal",
            "<received xmlns='urn:xmpp:receipts' id='1'/>".to_owned(),
            true,
        ),
        ("groupchat", body.to_owned(), false),
        ("headline", body.to_owned(), false),
    ] {
        orchard.mail();
        garden.mail();
        juliet
            .send(&format!(
                "<message type='{kind}' to='romeo@example.org/orchard'>{inside}</message>"
            ))
            .await;
        assert_eq!(orchard.mail().len(), 1, "{kind} {inside}");
        assert_eq!(garden.mail().len(), usize::from(copied), "{kind} {inside}");
    }
}

/// P-22
#[tokio::test]
async fn a_forged_carbon_arrives_as_from_its_sender() {
    let server = Server::start().await;
    let orchard = with_carbons(&server, "romeo", "orchard").await;
    let garden = with_carbons(&server, "romeo", "garden").await;
    let juliet = server.login("juliet", "balcony").await;
    orchard.mail();
    garden.mail();
    juliet
        .send(&format!(
            "<message type='chat' from='romeo@example.org' to='romeo@example.org/orchard'>\
             <received xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'/></received></message>"
        ))
        .await;
    let mail = orchard.elements();
    assert_eq!(mail[0].attr("from"), Some("juliet@example.org/balcony"));
    assert!(garden.mail().is_empty());
}

#[tokio::test]
async fn a_message_that_is_stored_is_copied_to_the_other_clients_of_its_sender() {
    let server = Server::start().await;
    let balcony = server.login("juliet", "balcony").await;
    let chamber = with_carbons(&server, "juliet", "chamber").await;
    chamber.mail();
    balcony
        .send("<message type='chat' to='romeo@example.org'><body>a</body></message>")
        .await;
    forwarded(&chamber.elements()[0], "sent");
}

/// Clients switch carbons on before they become available.
#[tokio::test]
async fn a_message_that_is_stored_for_a_client_that_is_about_to_come_comes_to_it_once() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo
        .ask("set", "", &format!("<enable xmlns='{NS}'/>"))
        .await;
    juliet
        .send("<message type='chat' to='romeo@example.org'><body>a</body></message>")
        .await;
    assert!(romeo.mail().is_empty());
    romeo.send("<presence/>").await;
    let came = romeo.settle().await;
    let messages = came.iter().filter(|stanza| stanza.name() == "message");
    assert_eq!(messages.count(), 1);
}
