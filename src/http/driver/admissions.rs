//! W7, E11: what was decided about a client ends, over a whole WebSocket, before and after the login,
//! attached and hibernating.

use super::*;
use crate::auth::{
    ChannelBinding, Credentials, ITERATIONS_MIN, Token, TokenError, Verification, VerifyBearer,
};
use crate::backend::local::{Local, LocalOptions};
use crate::config::{Config, Sources};
use crate::http::departure::{Departure, departure};
use crate::http::ws::{WsOptions, run};
use crate::sessions::SessionsOptions;
use crate::store::{Sqlite, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::SystemTime;
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

const PATIENCE: Duration = Duration::from_secs(20);

static SECRET: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::derive("secret", ITERATIONS_MIN).unwrap());

/// Every token is romeo's, for so many milliseconds as it says.
#[derive(Debug)]
struct Milliseconds;

impl VerifyBearer for Milliseconds {
    fn verify(&self, token: Token) -> Verification {
        let admission = match token.as_str().parse() {
            Ok(milliseconds) => Ok(romeo_for(milliseconds)),
            Err(_) => Err(TokenError::Unknown),
        };
        Box::pin(std::future::ready(admission))
    }
}

fn romeo_for(milliseconds: u64) -> Admission {
    Admission {
        jid: Some("romeo@example.org".parse().unwrap()),
        login: Some("L1".to_owned()),
        expires: Some(SystemTime::now() + Duration::from_millis(milliseconds)),
        ..Admission::default()
    }
}

struct House {
    rooms: Arc<Rooms>,
    departure: Departure,
    stopping: crate::http::departure::Stopping,
    _directory: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(&directory.path().join("stanzad.sqlite")).unwrap());
        let romeo = "romeo@example.org".parse().unwrap();
        store.create_account(&romeo, SECRET.clone()).await.unwrap();
        let sessions = Arc::new(Sessions::new(SessionsOptions {
            sessions_per_user: 20,
            send_queue: 256,
            send_queue_bytes: 4 << 20,
            max_unacked: 1000,
            max_hibernating_per_user: 8,
            repeat_window: 128,
        }));
        let options = LocalOptions {
            scram_iterations: ITERATIONS_MIN,
            ..LocalOptions::for_host("example.org")
        };
        let secret = store.secret().await.unwrap();
        let local = Local::new(options, secret, sessions.clone(), store, Vec::new()).unwrap();
        local.set_verifier(Some(Arc::new(Milliseconds)));
        let config = Config::load(&Sources {
            set: vec!["domain=example.org".to_owned()],
            ..Sources::default()
        });
        let options = crate::server::options_for_tests(&config.unwrap());
        let options = Arc::new(arc_swap::ArcSwap::from_pointee(options));
        let (departure, stopping) = departure();
        Self {
            rooms: Arc::new(Rooms::unlimited(local, sessions, options)),
            departure,
            stopping,
            _directory: directory,
        }
    }

    async fn connect(&self, admission: Option<Admission>) -> Client {
        let connection = Arc::new(Connection {
            transport: Transport::WebSocket,
            subprotocol: None,
            endpoint: "web".into(),
            path: "/ws".into(),
            query: Arc::default(),
            admission: admission.map(Arc::new),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            on_this_machine: true,
            private: true,
            binding: ChannelBinding::NONE,
        });
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let driver = Driver::new(self.rooms.clone(), connection, Framing::WebSocket);
        let options = Arc::new(WsOptions {
            ping_interval: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(180),
        });
        tokio::spawn(run(ours, &[], driver, options, self.stopping.clone()));
        let mut client = Client(WebSocketStream::from_raw_socket(theirs, Role::Client, None).await);
        client.open().await;
        client
    }

    /// A session that can be resumed, logged in by EXTERNAL on a link that is good for so long; with
    /// its `previd`.
    async fn login(&self, milliseconds: u64) -> (Client, String) {
        let mut client = self.connect(Some(romeo_for(milliseconds))).await;
        client.auth("EXTERNAL", b"").await;
        let previd = client.bind().await;
        (client, previd)
    }

    async fn gone(&self) {
        tokio::time::timeout(PATIENCE, async {
            while !self.rooms.sessions.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("no session is left");
    }

    async fn hibernates(&self) {
        tokio::time::timeout(PATIENCE, async {
            while self.rooms.sessions.hibernating() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("a session hibernates");
    }

    fn session(&self) -> Arc<Session> {
        self.rooms.sessions.all().pop().expect("a session")
    }
}

struct Client(WebSocketStream<DuplexStream>);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        next.expect("something comes")
            .expect("an open link")
            .unwrap()
    }

    /// The first text with this in it; the others are passed over.
    async fn text_with(&mut self, part: &str) -> String {
        loop {
            match self.next().await {
                Message::Text(text) if text.contains(part) => return text.to_string(),
                Message::Text(_) | Message::Ping(_) => {}
                other => panic!("{other:?} instead of {part}"),
            }
        }
    }

    async fn open(&mut self) {
        self.send(
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>",
        )
        .await;
        self.text_with("stream:features").await;
    }

    async fn auth(&mut self, mechanism: &str, message: &[u8]) {
        let message = match STANDARD.encode(message) {
            empty if empty.is_empty() => "=".to_owned(),
            message => message,
        };
        self.send(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{message}</auth>"
        ))
        .await;
        self.text_with("<success").await;
        self.open().await;
    }

    async fn token(&mut self, milliseconds: u64) {
        let message = format!("n,,\u{1}auth=Bearer {milliseconds}\u{1}\u{1}");
        self.auth("OAUTHBEARER", message.as_bytes()).await;
    }

    async fn bind(&mut self) -> String {
        self.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
            .await;
        self.text_with("<jid>").await;
        self.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
            .await;
        let enabled = self.text_with("<enabled").await;
        let (_, rest) = enabled.split_once("id=\"").expect("an id");
        rest.split('"').next().unwrap().to_owned()
    }

    async fn resume(&mut self, previd: &str) -> String {
        self.send(&format!(
            "<resume xmlns='urn:xmpp:sm:3' h='0' previd='{previd}'/>"
        ))
        .await;
        self.text_with("urn:xmpp:sm:3").await
    }

    /// The stream error, `<close/>` and the code of the WebSocket.
    async fn is_ended(&mut self, condition: &str, text: &str) {
        let error = self.text_with("<stream:error").await;
        assert!(error.contains(&format!("<{condition} ")), "{error}");
        assert!(error.contains(text), "{error}");
        self.text_with("<close").await;
        self.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
            .await;
        loop {
            match self.next().await {
                Message::Close(Some(frame)) => {
                    return assert_eq!(u16::from(frame.code), 1008);
                }
                Message::Close(None) => panic!("no code"),
                _ => {}
            }
        }
    }
}

const EXPIRED: &str = "has expired";

#[tokio::test]
async fn w7_a_session_ends_when_its_admission_does_and_cannot_be_resumed() {
    let house = House::new().await;
    let began_at = Instant::now();
    let (mut client, previd) = house.login(1500).await;
    assert!(house.session().is_attached());
    client.is_ended("not-authorized", EXPIRED).await;
    assert!(began_at.elapsed() >= Duration::from_millis(1400));
    house.gone().await;
    let (mut other, _) = house.login(60_000).await;
    drop(other);
    other = house.connect(Some(romeo_for(60_000))).await;
    other.auth("EXTERNAL", b"").await;
    let failed = other.resume(&previd).await;
    assert!(failed.contains("item-not-found"), "{failed}");
    drop(house.departure);
}

#[tokio::test]
async fn w7_a_client_that_has_not_logged_in_goes_when_its_admission_ends() {
    let house = House::new().await;
    let mut client = house.connect(Some(romeo_for(300))).await;
    client.is_ended("not-authorized", EXPIRED).await;
    assert!(house.rooms.sessions.is_empty());
}

#[tokio::test]
async fn w7_a_session_that_hibernates_ends_with_its_admission() {
    let house = House::new().await;
    let (client, previd) = house.login(800).await;
    drop(client);
    house.hibernates().await;
    let session = house.session();
    tokio::time::sleep(Duration::from_millis(900)).await;
    // Before anybody has swept.
    let mut other = house.connect(Some(romeo_for(60_000))).await;
    other.auth("EXTERNAL", b"").await;
    let failed = other.resume(&previd).await;
    assert!(failed.contains("item-not-found"), "{failed}");
    let endings = house.rooms.sessions.expire(crate::clock::now());
    assert_eq!(endings.len(), 1);
    assert_eq!(endings[0].reason, EndReason::AccessExpired);
    assert_eq!(endings[0].session.id(), session.id());
}

/// W6, W7: the token of an OAUTHBEARER login counts for the session.
#[tokio::test]
async fn w6_w7_a_login_by_token_lasts_as_long_as_the_token() {
    let house = House::new().await;
    let mut client = house.connect(None).await;
    client.token(1500).await;
    client.bind().await;
    let admission = house.session().admission().expect("that of the token");
    assert_eq!(admission.login.as_deref(), Some("L1"));
    assert_eq!(
        house.session().connection().unwrap().admission,
        Some(admission)
    );
    client.is_ended("not-authorized", EXPIRED).await;
    house.gone().await;
}

/// W7: who comes back in time with a fresh token goes on for as long as that is good.
#[tokio::test]
async fn w7_a_fresh_token_at_resumption_takes_the_place_of_the_former_one() {
    let house = House::new().await;
    let mut client = house.connect(None).await;
    client.token(60_000).await;
    let previd = client.bind().await;
    drop(client);
    house.hibernates().await;
    let mut client = house.connect(None).await;
    client.token(1500).await;
    let resumed = client.resume(&previd).await;
    assert!(resumed.contains("<resumed"), "{resumed}");
    client.is_ended("not-authorized", EXPIRED).await;
    house.gone().await;
}

/// W7: a password at resumption does not make the access any longer.
#[tokio::test]
async fn w7_a_session_that_is_resumed_without_an_admission_keeps_its_own() {
    let house = House::new().await;
    let (client, previd) = house.login(2000).await;
    drop(client);
    house.hibernates().await;
    let mut client = house.connect(None).await;
    client.auth("PLAIN", b"\0romeo\0secret").await;
    let resumed = client.resume(&previd).await;
    assert!(resumed.contains("<resumed"), "{resumed}");
    client.is_ended("not-authorized", EXPIRED).await;
}

/// W7, E11: nor does a link of which something is known, but not whose it is.
#[tokio::test]
async fn w7_an_admission_that_names_no_account_takes_neither_login_nor_end_away() {
    let house = House::new().await;
    let (client, previd) = house.login(2000).await;
    drop(client);
    house.hibernates().await;
    let mut client = house
        .connect(Some(Admission {
            tier: Some("gold".to_owned()),
            ..Admission::default()
        }))
        .await;
    client.auth("PLAIN", b"\0romeo\0secret").await;
    let resumed = client.resume(&previd).await;
    assert!(resumed.contains("<resumed"), "{resumed}");
    let admission = house.session().admission().expect("one of both");
    assert_eq!(admission.tier.as_deref(), Some("gold"));
    assert_eq!(admission.login.as_deref(), Some("L1"));
    client.is_ended("not-authorized", EXPIRED).await;
    house.gone().await;
}

/// E11: the logout came between the upgrade and the login.
#[tokio::test]
async fn e11_a_session_of_a_login_that_is_over_ends_as_soon_as_it_is_bound() {
    let house = House::new().await;
    let mut client = house.connect(Some(romeo_for(60_000))).await;
    house.rooms.sessions.end_login("L1");
    client.auth("EXTERNAL", b"").await;
    client
        .send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        .await;
    client.is_ended("not-authorized", "no longer valid").await;
    house.gone().await;
}
