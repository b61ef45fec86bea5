//! A server with BOSH on loopback, and clients that write HTTP and `<body/>` by hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use stanzad::auth::{Credentials, ITERATIONS_MIN};
use stanzad::backend::local::{Local, LocalOptions, accounts};
use stanzad::http::bosh::{BoshHttpOptions, BoshState, routes};
use stanzad::http::departure::{Departure, Farewell, departure};
use stanzad::http::driver::Rooms;
use stanzad::http::listener::{Listener, ListenerOptions};
use stanzad::http::origin::OriginPolicy;
use stanzad::sessions::{Sessions, SessionsOptions};
use stanzad::store::{Sqlite, Store};
use stanzad::stream::{SmOptions, StreamOptions};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const DOMAIN: &str = "example.org";
pub const ORIGIN: &str = "https://chat.example.org";

/// Nothing here takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub address: SocketAddr,
    pub state: BoshState,
    pub sessions: Arc<Sessions>,
    stop: Departure,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// Accounts romeo and juliet, whose passwords are their names.
    pub async fn with(change: impl FnOnce(&mut BoshHttpOptions, &mut StreamOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("db")).unwrap());
        for name in ["romeo", "juliet"] {
            let account = format!("{name}@{DOMAIN}").parse().unwrap();
            let credentials = Credentials::derive(name, ITERATIONS_MIN).unwrap();
            accounts::create(&*store, &account, credentials)
                .await
                .unwrap();
        }
        let sessions = Arc::new(Sessions::new(SessionsOptions {
            sessions_per_user: 20,
            send_queue: 32,
            send_queue_bytes: 4 * 1024 * 1024,
            max_unacked: 1000,
            max_hibernating_per_user: 8,
            repeat_window: 128,
        }));
        let mut local = LocalOptions::for_host(DOMAIN);
        local.anonymous = true;
        let secret = store.secret().await.unwrap();
        let local = Local::new(local, secret, sessions.clone(), store, Vec::new()).unwrap();
        let mut options = BoshHttpOptions {
            origins: OriginPolicy::same_origin(ORIGIN).unwrap(),
            ..BoshHttpOptions::default()
        };
        let mut stream_options = stream_options();
        change(&mut options, &mut stream_options);
        let stream_options = Arc::new(arc_swap::ArcSwap::from_pointee(stream_options));
        let rooms = Rooms::unlimited(local, sessions.clone(), stream_options);
        let (stop, stopping) = departure();
        let options = Arc::new(arc_swap::ArcSwap::from_pointee(options));
        let state = BoshState::new(Arc::new(rooms), options, stop.clone());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(address, ListenerOptions::default()).unwrap();
        let address = listener.address();
        let stopped = stopping;
        tokio::spawn(listener.serve(routes(state.clone()), async move {
            stopped.begun().await;
        }));
        Self {
            address,
            state,
            sessions,
            stop,
            _dir: dir,
        }
    }

    /// Tells everything to stop.
    pub fn stop(&self) {
        self.stop.begin(0, Farewell::ForGood);
    }

    pub async fn connect(&self) -> Http {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        Http {
            tcp,
            unread: Vec::new(),
        }
    }

    /// The answer to one request with a connection of its own.
    pub async fn request(&self, head: &str, body: &str) -> Reply {
        let mut http = self.connect().await;
        http.send(head, body).await;
        http.reply().await
    }

    pub async fn post(&self, body: &str) -> Reply {
        let mut http = self.connect().await;
        http.post(body).await;
        http.reply().await
    }

    /// A session with the attributes `more` in its creation request.
    pub async fn session(&self, more: &str) -> Client<'_> {
        let rid = 1_000_000;
        let reply = self
            .post(&format!(
                "<body rid='{rid}' to='{DOMAIN}' ver='1.11' xml:lang='en' xmpp:version='1.0' {more} \
                 xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/>"
            ))
            .await;
        let sid = reply.attribute("sid");
        Client {
            world: self,
            sid,
            rid,
            creation: reply,
        }
    }

    /// A session of `name` that is bound and available.
    pub async fn login(&self, name: &str) -> Client<'_> {
        let mut client = self.session("wait='60' hold='1'").await;
        client.authenticate(name).await;
        client.bind(name).await;
        // RFC 6121 §4.2.2: its own presence comes back to it.
        client
            .ask("<presence xmlns='jabber:client'/>", "<presence")
            .await;
        client
    }

    /// Waits until `is_true`.
    pub async fn until(&self, mut is_true: impl FnMut() -> bool) {
        let waiting = async {
            while !is_true() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }
}

fn stream_options() -> StreamOptions {
    StreamOptions {
        hosts: vec![DOMAIN.into()],
        max_stanza_bytes: 64 * 1024,
        max_stanza_bytes_before_auth: 10 * 1024,
        xml: Default::default(),
        ws_idle_timeout: Duration::ZERO,
        bosh_inactivity: Duration::ZERO,
        login_timeout: Duration::from_secs(30),
        failures_per_stream: 5,
        registration: false,
        see_other_uri: None,
        sm: SmOptions {
            max_unacked_bytes: 1 << 22,
            enabled: true,
            unsolicited_ack_frequency: 0,
            unsolicited_ack_delay: Duration::ZERO,
            ack_request_frequency: 0,
            ack_request_delay: Duration::ZERO,
            ack_timeout: Duration::from_secs(60),
            resume_timeout: Duration::from_secs(600),
            max_hibernating_per_user: 8,
            max_unacked: 1000,
            first_h: 0,
        },
    }
}

/// One HTTP connection.
pub struct Http {
    pub tcp: TcpStream,
    unread: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Http {
    /// A request whose head is `head`, with `Host` and `Content-Length` added.
    pub async fn send(&mut self, head: &str, body: &str) {
        let length = body.len();
        let text = format!("{head}\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}");
        self.write(&text).await;
    }

    pub async fn post(&mut self, body: &str) {
        let head = "POST /http-bind/ HTTP/1.1\r\nContent-Type: text/xml; charset=utf-8";
        self.send(head, body).await;
    }

    pub async fn write(&mut self, text: &str) {
        // The server may answer and close before it has read everything.
        let _ = self.tcp.write_all(text.as_bytes()).await;
    }

    pub async fn reply(&mut self) -> Reply {
        tokio::time::timeout(PATIENCE, self.read_reply())
            .await
            .expect("an answer in time")
    }

    async fn read_reply(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more().await;
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            self.read_more().await;
        }
        let body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head, body }
    }

    async fn read_more(&mut self) {
        let read = self.tcp.read_buf(&mut self.unread).await.unwrap();
        assert_ne!(
            read,
            0,
            "closed after {:?}",
            String::from_utf8_lossy(&self.unread)
        );
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// An attribute of `<body/>`.
    pub fn attribute(&self, name: &str) -> String {
        let start = format!(" {name}='");
        let tag = self.body.split('>').next().unwrap();
        let value = tag.split(&start).nth(1);
        let value = value.unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.split('\'').next().unwrap().to_owned()
    }

    pub fn is_empty_body(&self) -> bool {
        self.status == 200 && self.body.ends_with("/>") && !self.body.contains("terminate")
    }

    pub fn is_terminated_with(&self, condition: &str) -> bool {
        self.status == 200
            && self.body.contains("type='terminate'")
            && self.body.contains(&format!("condition='{condition}'"))
    }
}

/// A session of a client, one request at a time unless told otherwise.
pub struct Client<'w> {
    pub world: &'w World,
    pub sid: String,
    pub rid: u64,
    pub creation: Reply,
}

impl Client<'_> {
    /// The text of a request under a `rid`.
    pub fn body(&self, rid: u64, attributes: &str, payload: &str) -> String {
        let sid = &self.sid;
        format!(
            "<body rid='{rid}' sid='{sid}' {attributes} xmlns='http://jabber.org/protocol/httpbind' \
             xmlns:xmpp='urn:xmpp:xbosh'>{payload}</body>"
        )
    }

    /// The text of the next request.
    pub fn next(&mut self, attributes: &str, payload: &str) -> String {
        self.rid += 1;
        self.body(self.rid, attributes, payload)
    }

    /// Sends the next request and does not wait for its answer.
    pub async fn begin(&mut self, attributes: &str, payload: &str) -> Http {
        let body = self.next(attributes, payload);
        let mut http = self.world.connect().await;
        http.post(&body).await;
        http
    }

    /// Sends the next request and waits for its answer.
    pub async fn exchange(&mut self, attributes: &str, payload: &str) -> Reply {
        self.begin(attributes, payload).await.reply().await
    }

    /// Sends payload; everything that is said until it is answered, by asking again.
    pub async fn ask(&mut self, payload: &str, until: &str) -> String {
        let mut said = self.exchange("", payload).await.body;
        while !said.contains(until) {
            assert!(!said.contains("terminate"), "{said}");
            said.push_str(&self.exchange("", "").await.body);
        }
        said
    }

    /// A request that is held: it has arrived, since it released the one before it.
    pub async fn hold(&mut self) -> Http {
        loop {
            let mut first = self.begin("", "").await;
            let mut second = self.begin("", "").await;
            if first.reply().await.is_empty_body() {
                return second;
            }
            second.reply().await;
        }
    }

    /// Sends payload to which nothing need come back: the next request releases its own.
    pub async fn send(&mut self, payload: &str) -> Reply {
        let mut first = self.begin("", payload).await;
        let mut second = self.begin("pause='1'", "").await;
        let reply = first.reply().await;
        second.reply().await;
        reply
    }

    pub async fn authenticate(&mut self, name: &str) {
        let plain = BASE64.encode(format!("\0{name}\0{name}"));
        let auth = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"
        );
        self.ask(&auth, "<success").await;
        let features = self
            .exchange(&format!("to='{DOMAIN}' xmpp:restart='true'"), "")
            .await;
        assert!(features.body.contains("xmpp-bind"), "{features:?}");
    }

    pub async fn bind(&mut self, resource: &str) -> String {
        let bind = format!(
            "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        );
        self.ask(&bind, "<jid>").await
    }
}

/// A chat message.
pub fn chat(to: &str, text: &str) -> String {
    format!(
        "<message xmlns='jabber:client' to='{to}@{DOMAIN}' type='chat'><body>{text}</body></message>"
    )
}
