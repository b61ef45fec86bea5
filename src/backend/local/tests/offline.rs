use super::*;
use crate::sessions::Reunion;
use crate::stanza::address::FullJid;
use crate::store::journal::{SavedSession, SavedSm, SavedState};
use std::time::SystemTime;

async fn send(client: &Client, to: &str, range: std::ops::Range<usize>) {
    for i in range {
        let body = format!("<body>{i}</body>");
        client
            .send(&format!(
                "<message type='chat' to='{to}@example.org'>{body}</message>"
            ))
            .await;
    }
}

fn bodies(mail: &[Element]) -> Vec<usize> {
    let messages = mail.iter().filter(|stanza| stanza.name() == "message");
    messages
        .map(|message| body(message).parse().unwrap())
        .collect()
}

/// Mailboxes with a low bound.
fn narrow() -> SessionsOptions {
    SessionsOptions {
        send_queue: 8,
        ..bounds()
    }
}

impl Server {
    /// Logs in and reads until so many messages came.
    async fn login_and_read(&self, name: &str, messages: usize) -> Vec<Element> {
        let client = self.bind(name, "reading").await;
        client.send("<presence/>").await;
        let mut mail = Vec::new();
        while bodies(&mail).len() < messages {
            mail.push(client.next().await);
        }
        mail
    }
}

/// P-18
#[tokio::test]
async fn stored_messages_come_at_initial_presence_in_order_once_and_stamped() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..250).await;
    let romeo = server.bind("romeo", "orchard").await;
    assert!(romeo.mail().is_empty());
    romeo.send("<presence/>").await;
    let mail = romeo.settle().await;
    assert_eq!(bodies(&mail), (0..250).collect::<Vec<_>>());
    for message in mail.iter().filter(|stanza| stanza.name() == "message") {
        let delay = message.child("delay", "urn:xmpp:delay").expect("a stamp");
        assert_eq!(delay.attr("from"), Some("example.org"));
    }
    let garden = server.bind("romeo", "garden").await;
    garden.send("<presence/>").await;
    assert!(bodies(&garden.settle().await).is_empty());
    assert!(server.stored("romeo").await.is_empty());
}

/// P-18
#[tokio::test]
async fn a_negative_priority_leaves_them_stored_until_it_rises() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..3).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo
        .send("<presence><priority>-1</priority></presence>")
        .await;
    assert!(bodies(&romeo.settle().await).is_empty());
    send(&juliet, "romeo", 3..5).await;
    romeo.send("<presence/>").await;
    assert_eq!(bodies(&romeo.settle().await), [0, 1, 2, 3, 4]);
}

/// the same sender, before and after the recipient came.
#[tokio::test]
async fn what_is_sent_while_stored_messages_are_handed_over_comes_after_them() {
    let bounds = SessionsOptions {
        send_queue: 8,
        ..bounds()
    };
    let server = Server::with(options(), bounds).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    let sending = async {
        send(&juliet, "romeo", 40..60).await;
    };
    let reading = async {
        let mut mail = Vec::new();
        while bodies(&mail).len() < 60 {
            mail.push(romeo.next().await);
        }
        mail
    };
    let ((), mail) = tokio::join!(sending, reading);
    assert_eq!(bodies(&mail), (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_session_that_goes_while_they_are_handed_over_loses_none() {
    let bounds = SessionsOptions {
        send_queue: 8,
        ..bounds()
    };
    let server = Server::with(options(), bounds).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    romeo.next().await;
    romeo.next().await;
    romeo.end().await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    let mut mail = Vec::new();
    while bodies(&mail).last() != Some(&39) {
        mail.push(romeo.next().await);
    }
    let came = bodies(&mail);
    // The first pieces of mail were read by the client that went: presence, or a message.
    assert_eq!(came, (40 - came.len()..40).collect::<Vec<_>>());
    assert!(came.len() >= 38, "{came:?}");
}

/// Nobody waits for a client that reads nothing: neither others nor that client itself.
#[tokio::test]
async fn senders_do_not_wait_for_a_client_that_does_not_read_its_stored_messages() {
    let server = Server::with(options(), narrow()).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    send(&juliet, "romeo", 40..60).await;
    send(&romeo, "romeo", 60..61).await;
    assert!(romeo.session.waiting() < 16, "{}", romeo.session.waiting());
    romeo.end().await;
    let romeo = server.login_and_read("romeo", 61).await;
    assert_eq!(bodies(&romeo), (0..61).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_did_not_fit_comes_when_the_session_is_resumed() {
    let server = Server::with(options(), narrow()).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    romeo.hibernate(sm());
    send(&juliet, "romeo", 40..50).await;
    let previd = romeo.session.id().to_string();
    let claimed = server.sessions.claim(&previd, &bare("romeo"), None).await;
    assert!(claimed.is_ok());
    let mut mail = Vec::new();
    while bodies(&mail).len() < 50 {
        mail.push(romeo.next().await);
    }
    assert_eq!(bodies(&mail), (0..50).collect::<Vec<_>>());
}

/// Its client is away: it could be waited for until the session expires.
#[tokio::test]
async fn a_stop_does_not_wait_until_a_hibernating_session_has_room() {
    let server = Server::with(options(), narrow()).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    romeo.hibernate(sm());
    let finished = tokio::time::timeout(PATIENCE, server.local.finished()).await;
    assert!(finished.is_ok());
    let (waiting, stored) = (romeo.session.waiting(), server.stored("romeo").await);
    assert!(stored.len() >= 40 - waiting && !stored.is_empty());
}

#[tokio::test]
async fn a_session_of_the_last_process_gets_what_it_had_no_room_for_there() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..3).await;
    let presence = "<presence xmlns='jabber:client' from='romeo@example.org/orchard'/>";
    let saved = SavedSession {
        id: 7,
        jid: FullJid::new("romeo@example.org/orchard").unwrap(),
        sm: Some(SavedSm {
            resume_seconds: Some(60),
            ..SavedSm::default()
        }),
        ended: false,
        state: SavedState {
            presence: Some((0, presence.into(), SystemTime::UNIX_EPOCH)),
            ..SavedState::default()
        },
        recent: Vec::new(),
        stanzas: Vec::new(),
    };
    let reunion = Reunion::default();
    let session = server.sessions.restore(saved, &reunion, Instant::now());
    server.local.restore(session.clone()).await;
    let previd = session.id().to_string();
    let claimed = server.sessions.claim(&previd, &bare("romeo"), None).await;
    assert!(claimed.is_ok());
    let romeo = server.client(session);
    let mail = [romeo.next().await, romeo.next().await, romeo.next().await];
    assert_eq!(bodies(&mail), [0, 1, 2]);
}

/// What is sent while one client gets stored messages slowly reaches the other one.
#[tokio::test]
async fn a_client_that_reads_gets_what_another_one_of_the_user_leaves_stored() {
    let server = Server::with(options(), narrow()).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let slow = server.bind("romeo", "orchard").await;
    slow.send("<presence/>").await;
    let quick = server.bind("romeo", "garden").await;
    quick.send("<presence/>").await;
    send(&juliet, "romeo", 40..50).await;
    let mut mail = Vec::new();
    while bodies(&mail).last() != Some(&49) {
        mail.push(quick.next().await);
    }
    let came = bodies(&mail);
    assert_eq!(came, (50 - came.len()..50).collect::<Vec<_>>());
    assert!(came.len() >= 35, "{came:?}");
}

/// XEP-0085: late they would be wrong.
#[tokio::test]
async fn news_of_a_moment_does_not_wait_behind_stored_messages() {
    let server = Server::with(options(), narrow()).await;
    let juliet = server.login("juliet", "balcony").await;
    send(&juliet, "romeo", 0..40).await;
    let romeo = server.bind("romeo", "orchard").await;
    romeo.send("<presence/>").await;
    let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    juliet
        .send(&format!(
            "<message type='chat' to='romeo@example.org'>{typing}</message>"
        ))
        .await;
    assert!(romeo.mail().iter().any(|text| text.contains("composing")));
}

#[tokio::test]
async fn at_the_bound_the_sender_is_refused() {
    let server = Server::with(
        LocalOptions {
            offline_messages: 2,
            ..options()
        },
        bounds(),
    )
    .await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.mail();
    send(&juliet, "romeo", 0..3).await;
    assert_eq!(condition(&juliet.next().await), "service-unavailable");
    assert_eq!(server.stored("romeo").await.len(), 2);
}

/// XEP-0160 §3, XEP-0334
#[tokio::test]
async fn only_what_is_worth_it_is_stored() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet.mail();
    let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let hint = |name: &str| format!("<{name} xmlns='urn:xmpp:hints'/>");
    for (kind, inside, stored, refused) in [
        ("chat", "<body>a</body>".to_owned(), true, false),
        ("chat", typing.to_owned(), false, false),
        ("chat", format!("{typing}{}", hint("store")), true, false),
        (
            "chat",
            format!("<body>a</body>{}", hint("no-store")),
            false,
            true,
        ),
        (
            "chat",
            format!("<body>a</body>{}", hint("no-permanent-store")),
            false,
            true,
        ),
        (
            "normal",
            "<x xmlns='jabber:x:conference' jid='r@c.example.org'/>".to_owned(),
            true,
            false,
        ),
        (
            "chat",
            "<received xmlns='urn:xmpp:receipts' id='1'/>".to_owned(),
            true,
            false,
        ),
        ("headline", "<body>a</body>".to_owned(), false, false),
        ("groupchat", "<body>a</body>".to_owned(), false, true),
    ] {
        let before = server.stored("romeo").await.len();
        juliet
            .send(&format!(
                "<message type='{kind}' to='romeo@example.org'>{inside}</message>"
            ))
            .await;
        let after = server.stored("romeo").await.len();
        assert_eq!(after - before, usize::from(stored), "{kind} {inside}");
        assert_eq!(
            juliet.elements().len(),
            usize::from(refused),
            "{kind} {inside}"
        );
    }
}
