//! The end of a session that hibernated for too long: what is left goes where RFC 6121 sends it,
//! once, and its contacts hear of it, once.

use super::*;
use crate::sessions::Ending;

const LATER: Duration = Duration::from_secs(3600);

/// The link is lost, and what was in the mailbox was sent and not acknowledged.
fn lose_link(client: &Client) {
    let sent = client.outbound();
    client.hibernate(Sm::restored(0, 0, Some(Duration::from_secs(60)), sent));
}

impl Server {
    /// The sessions that are due.
    fn due(&self) -> Vec<Ending> {
        self.sessions.expire(Instant::now() + LATER)
    }

    async fn expire(&self) {
        for ending in self.due() {
            self.local.ended(ending).await;
        }
    }
}

/// (name, type) of each stanza.
fn kinds(mail: &[Element]) -> Vec<(String, String)> {
    let kind = |stanza: &Element| stanza.attr("type").unwrap_or_default().to_owned();
    mail.iter()
        .map(|stanza| (stanza.name().to_owned(), kind(stanza)))
        .collect()
}

fn unavailable(mail: &[Element]) -> usize {
    let kinds = kinds(mail);
    let unavailable = ("presence".to_owned(), "unavailable".to_owned());
    kinds.iter().filter(|kind| **kind == unavailable).count()
}

const TO: &str = "to='romeo@example.org/orchard'";

/// A room would take a bounce for a departure of its occupant.
#[tokio::test]
async fn groupchat_errors_and_headlines_never_bounce_whether_they_were_sent_or_waited() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    let send_all = async || {
        for kind in ["groupchat", "error", "headline"] {
            let message = format!("<message type='{kind}' {TO}><body>a</body></message>");
            juliet.send(&message).await;
        }
        juliet
            .send(&format!("<iq type='result' id='1' {TO}/>"))
            .await;
    };
    send_all().await;
    lose_link(&romeo);
    send_all().await;
    juliet.mail();
    server.expire().await;
    assert!(server.sessions.at(romeo.session.jid()).is_none());
    assert!(juliet.mail().is_empty());
    assert!(server.stored("romeo").await.is_empty());
}

#[tokio::test]
async fn what_says_something_is_stored_once_whether_it_was_sent_or_waited() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    let send = async |kind: &str, text: &str| {
        let message = format!("<message type='{kind}' {TO}><body>{text}</body></message>");
        juliet.send(&message).await;
    };
    send("chat", "1").await;
    send("normal", "2").await;
    lose_link(&romeo);
    send("chat", "3").await;
    send("normal", "4").await;
    juliet.mail();
    server.expire().await;
    server.expire().await;
    let stored = server.stored("romeo").await;
    let bodies = stored
        .iter()
        .map(|text| body(&Element::parse(text).unwrap()));
    assert_eq!(bodies.collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    assert!(juliet.mail().is_empty());
}

#[tokio::test]
async fn a_message_that_may_not_be_stored_bounces_once() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    let message = format!(
        "<message type='chat' id='m' {TO}><body>a</body><no-store xmlns='urn:xmpp:hints'/></message>"
    );
    juliet.send(&message).await;
    lose_link(&romeo);
    juliet.mail();
    server.expire().await;
    let answers = juliet.elements();
    assert_eq!(kinds(&answers), [("message".into(), "error".into())]);
    assert_eq!(condition(&answers[0]), "recipient-unavailable");
}

#[tokio::test]
async fn each_request_is_answered_with_one_error() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    romeo.mail();
    let ask = async |kind: &str, id: &str| {
        let request = format!("<iq type='{kind}' id='{id}' {TO}><q xmlns='q'/></iq>");
        juliet.send(&request).await;
    };
    ask("get", "1").await;
    lose_link(&romeo);
    ask("set", "2").await;
    juliet.mail();
    server.expire().await;
    let answers = juliet.elements();
    let ids: Vec<_> = answers.iter().map(|answer| answer.attr("id")).collect();
    assert_eq!(ids, [Some("1"), Some("2")]);
    for answer in &answers {
        assert_eq!(condition(answer), "service-unavailable");
    }
}

/// Whatever ends it, and however often it is told to end.
#[tokio::test]
async fn contacts_hear_once_of_a_session_that_two_things_end() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    server.befriend(&romeo, &juliet).await;
    lose_link(&romeo);
    juliet.mail();
    assert_eq!(unavailable(&juliet.elements()), 0);
    let mut endings = server.due();
    endings.extend(server.sessions.end(&romeo.session, EndReason::Overflow));
    endings.extend(server.sessions.end(&romeo.session, EndReason::Memory));
    endings.extend(server.due());
    assert_eq!(endings.len(), 1);
    for ending in endings {
        server.local.ended(ending).await;
    }
    assert_eq!(unavailable(&juliet.elements()), 1);
}

/// The client begins anew, at the same resource, in the moment in which its old session is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_hear_once_of_a_session_that_is_due_while_its_client_begins_anew() {
    let server = Arc::new(Server::start().await);
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    server.befriend(&romeo, &juliet).await;
    let mut romeo = romeo;
    for _ in 0..50 {
        lose_link(&romeo);
        juliet.mail();
        let expiring = tokio::spawn({
            let server = server.clone();
            async move { server.expire().await }
        });
        romeo = server.bind("romeo", "orchard").await;
        romeo.send("<presence/>").await;
        expiring.await.unwrap();
        let heard = juliet.elements();
        let presences: Vec<_> = kinds(&heard).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(presences, ["unavailable", ""]);
    }
}

/// One that is resumed in time has never been away.
#[tokio::test]
async fn contacts_hear_nothing_of_a_session_that_is_resumed() {
    let server = Server::start().await;
    let juliet = server.login("juliet", "balcony").await;
    let romeo = server.login("romeo", "orchard").await;
    server.befriend(&romeo, &juliet).await;
    lose_link(&romeo);
    juliet.mail();
    let previd = romeo.session.id().to_string();
    let claimed = server.sessions.claim(&previd, &bare("romeo"), None).await;
    assert!(claimed.is_ok());
    server.expire().await;
    assert!(juliet.mail().is_empty());
}
