use super::*;

const CHAT: &str = "<message type='chat' id='m' to='romeo@example.org'><body>a</body></message>";

fn messages(mail: Vec<Element>) -> Vec<Element> {
    mail.into_iter()
        .filter(|stanza| stanza.name() == "message")
        .collect()
}

#[tokio::test]
async fn what_a_lone_session_did_not_get_is_stored_and_comes_once_with_its_stamp() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.hibernate(sm());
    for _ in 0..3 {
        juliet.send(CHAT).await;
    }
    romeo.end().await;
    assert_eq!(server.stored("romeo").await.len(), 3);
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    let mail = messages(romeo.settle().await);
    assert_eq!(mail.len(), 3);
    for message in mail {
        let stamps = message
            .children()
            .filter(|child| child.is("delay", "urn:xmpp:delay"));
        assert_eq!(stamps.count(), 1);
    }
}

#[tokio::test]
async fn what_came_stamped_from_the_store_is_not_stamped_again() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.send(CHAT).await;
    for _ in 0..3 {
        let romeo = server.bind("romeo", "orchard").await;
        romeo.send("<presence/>").await;
        // Handed over, but never read.
        drop(
            super::super::state::State::of(&romeo.session)
                .unwrap()
                .account
                .gate
                .lock()
                .await,
        );
        assert!(server.stored("romeo").await.is_empty());
        romeo.end().await;
    }
    let stored = server.stored("romeo").await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].matches("urn:xmpp:delay").count(), 1);
}

#[tokio::test]
async fn it_goes_to_another_session_unless_that_has_it_already() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let orchard = server.login("romeo", "orchard").await;
    orchard.hibernate(sm());
    juliet.send(CHAT).await;
    let garden = server.login("romeo", "garden").await;
    juliet.send(&CHAT.replace(">a<", ">b<")).await;
    garden.mail();
    orchard.end().await;
    let mail = messages(garden.elements());
    assert_eq!(
        mail.iter().map(body).collect::<Vec<_>>(),
        ["a"],
        "b was for both"
    );
    assert!(mail[0].child("delay", "urn:xmpp:delay").is_some());
    assert!(server.stored("romeo").await.is_empty());
}

#[tokio::test]
async fn what_another_session_has_as_a_carbon_is_not_sent_to_it_again() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = server.login("romeo", "garden").await;
    garden
        .ask("set", "", "<enable xmlns='urn:xmpp:carbons:2'/>")
        .await;
    garden.mail();
    juliet
        .send(&CHAT.replace("example.org'", "example.org/orchard'"))
        .await;
    assert_eq!(garden.mail().len(), 1);
    orchard.end().await;
    assert!(messages(garden.elements()).is_empty());
    assert!(server.stored("romeo").await.is_empty());
}

#[tokio::test]
async fn two_sessions_that_end_with_the_same_message_store_it_once() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let (orchard, garden) = (
        server.login("romeo", "orchard").await,
        server.login("romeo", "garden").await,
    );
    juliet.send(CHAT).await;
    let close = |client: &Client| {
        server
            .sessions
            .close(&client.session, None, crate::sessions::EndReason::Shutdown)
    };
    let endings = [close(&orchard), close(&garden)];
    for ending in endings {
        server.local.ended(ending).await;
    }
    assert_eq!(server.stored("romeo").await.len(), 1);
}

#[tokio::test]
async fn a_sender_hears_of_what_cannot_be_stored() {
    let server = Server::with(
        LocalOptions {
            offline_messages: 0,
            ..options()
        },
        bounds(),
    )
    .await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    juliet.send(CHAT).await;
    juliet.mail();
    romeo.end().await;
    assert_eq!(condition(&juliet.next().await), "recipient-unavailable");
}

/// A room would take a bounce for a departure of its occupant.
#[tokio::test]
async fn groupchat_errors_headlines_presences_and_results_vanish_without_a_bounce() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    for stanza in [
        "<message type='groupchat' to='romeo@example.org/orchard'><body>a</body></message>",
        "<message type='error' to='romeo@example.org/orchard'><body>a</body></message>",
        "<message type='headline' to='romeo@example.org/orchard'><body>a</body></message>",
        "<presence to='romeo@example.org/orchard'/>",
        "<iq type='result' id='1' to='romeo@example.org/orchard'/>",
    ] {
        juliet.send(stanza).await;
    }
    juliet.mail();
    romeo.end().await;
    assert!(juliet.mail().is_empty());
    assert!(server.stored("romeo").await.is_empty());
}

#[tokio::test]
async fn a_request_that_was_not_read_is_answered() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    juliet
        .send("<iq type='get' id='7' to='romeo@example.org/orchard'><q xmlns='q'/></iq>")
        .await;
    juliet.mail();
    romeo.end().await;
    let answer = juliet.next().await;
    assert_eq!(condition(&answer), "service-unavailable");
    assert_eq!(answer.attr("id"), Some("7"));
}

#[tokio::test]
async fn a_hibernating_session_that_is_full_ends_and_nothing_is_lost() {
    let bounds = SessionsOptions {
        max_unacked: 5,
        ..bounds()
    };
    let server = Server::with(options(), bounds).await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.hibernate(sm());
    for i in 0..8 {
        juliet.send(&CHAT.replace(">a<", &format!(">{i}<"))).await;
    }
    server.sessions.gone(&romeo.session).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    let bodies: Vec<_> = messages(romeo.settle().await).iter().map(body).collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

/// L-16
#[tokio::test]
async fn a_thousand_sessions_leave_nothing_behind() {
    let server = Server::start().await;
    for _ in 0..1000 {
        let romeo = server.bind("romeo", "orchard").await;
        romeo.send("<presence/>").await;
        romeo.settle().await;
        romeo.end().await;
    }
    assert!(server.sessions.is_empty());
    assert_eq!(server.local.accounts.len(), 0);
}

/// The promise, with two threads: whatever moment the recipient comes, goes or loses its link at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_that_comes_and_goes_gets_every_message_once_and_in_order() {
    const COUNT: usize = 2000;
    let options = LocalOptions {
        offline_messages: COUNT,
        ..options()
    };
    let server = Server::with(options, bounds()).await;
    let juliet = server.login("juliet", "balcony").await;
    let sending = tokio::spawn(async move {
        for i in 0..COUNT {
            juliet.send(&CHAT.replace(">a<", &format!(">{i}<"))).await;
        }
    });
    let mut got: Vec<usize> = Vec::new();
    let mut stay = 0;
    while got.len() < COUNT {
        let romeo = server.bind("romeo", "orchard").await;
        romeo.send("<presence/>").await;
        stay = (stay + 7) % 40;
        for _ in 0..stay {
            let reading = messages(romeo.elements());
            got.extend(
                reading
                    .iter()
                    .map(|message| body(message).parse::<usize>().unwrap()),
            );
            tokio::task::yield_now().await;
        }
        if stay % 2 == 0 {
            romeo.hibernate(sm());
            tokio::task::yield_now().await;
        }
        romeo.end().await;
    }
    sending.await.unwrap();
    assert_eq!(got, (0..COUNT).collect::<Vec<_>>());
    assert!(server.stored("romeo").await.is_empty());
}

/// One client read it and left; the other one never came back for its copy.
#[tokio::test]
async fn a_message_that_one_client_acknowledged_is_not_stored_when_the_other_expires() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = server.login("romeo", "garden").await;
    garden.mail();
    orchard.hibernate(sm());
    juliet.send(CHAT).await;
    for stanza in garden.outbound() {
        stanza.copies.arrive();
    }
    garden.end().await;
    orchard.end().await;
    assert!(server.stored("romeo").await.is_empty());
}

/// Neither has it: it is stored once, whichever ends first.
#[tokio::test]
async fn a_message_that_two_sessions_leave_behind_is_stored_once() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = server.login("romeo", "garden").await;
    orchard.hibernate(sm());
    garden.hibernate(sm());
    juliet.send(CHAT).await;
    tokio::join!(orchard.end(), garden.end());
    assert_eq!(server.stored("romeo").await.len(), 1);
}

/// The message went to one resource, and a carbon to the other, which holds the last hope.
#[tokio::test]
async fn a_carbon_that_is_left_behind_last_is_stored_as_the_message_that_it_wraps() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let orchard = server.login("romeo", "orchard").await;
    let garden = server.login("romeo", "garden").await;
    garden
        .ask("set", "", "<enable xmlns='urn:xmpp:carbons:2'/>")
        .await;
    orchard.hibernate(sm());
    garden.hibernate(sm());
    juliet
        .send(&CHAT.replace("romeo@example.org", "romeo@example.org/orchard"))
        .await;
    orchard.end().await;
    assert!(server.stored("romeo").await.is_empty());
    garden.end().await;
    let stored = server.stored("romeo").await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].contains("urn:xmpp:carbons:2"), "{stored:?}");
}
