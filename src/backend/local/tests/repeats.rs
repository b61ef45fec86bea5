//! Messages that come again from another session of their sender.

use super::*;

fn message(to: &str) -> String {
    format!("<message type='chat' id='m' to='{to}'><body>a</body></message>")
}

/// The link is lost, and there is no stream management.
async fn lose(client: Client) {
    let ending = client
        .sessions
        .close(&client.session, None, EndReason::LinkLost);
    client.local.ended(ending).await;
}

fn forgetful() -> LocalOptions {
    LocalOptions {
        offline_messages: 0,
        ..options()
    }
}

#[tokio::test]
async fn a_message_that_the_store_refused_is_refused_again_and_not_swallowed() {
    let server = Server::with(forgetful(), bounds()).await;
    for resource in ["one", "two"] {
        let romeo = server.bind("romeo", resource).await;
        romeo.send(&message("juliet@example.org")).await;
        let error = romeo.next().await;
        assert_eq!(condition(&error), "service-unavailable");
        lose(romeo).await;
    }
}

/// Juliet had it and was lost before she read it, and her store is full.
#[tokio::test]
async fn a_message_that_found_no_place_in_the_end_may_be_sent_again() {
    let server = Server::with(forgetful(), bounds()).await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.bind("romeo", "one").await;
    romeo.send(&message("juliet@example.org")).await;
    lose(romeo).await;
    lose(juliet).await;
    let juliet = server.login("juliet", "balcony").await;
    assert!(juliet.mail().is_empty());
    let romeo = server.bind("romeo", "two").await;
    romeo.send(&message("juliet@example.org")).await;
    assert_eq!(juliet.mail().len(), 1);
}

#[tokio::test]
async fn a_message_to_the_own_account_is_known_with_its_address_and_without() {
    let server = Server::start().await;
    let other = server.login("romeo", "other").await;
    let romeo = server.bind("romeo", "one").await;
    romeo.send(&message("romeo@example.org")).await;
    lose(romeo).await;
    let romeo = server.bind("romeo", "two").await;
    let without = message("").replace(" to=''", "");
    romeo.send(&without).await;
    assert_eq!(other.mail().len(), 1);
}

#[tokio::test]
async fn presences_and_requests_are_answered_each_time() {
    let server = Server::start().await;
    for resource in ["one", "two"] {
        let romeo = server.bind("romeo", resource).await;
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        let answer = romeo.ask("get", "example.org", ping).await;
        assert_eq!(answer.attr("type"), Some("result"));
        romeo.send("<presence id='p'/>").await;
        assert_eq!(romeo.settle().await.len(), 1);
        lose(romeo).await;
    }
}
