//! An XMPP client over the raw WebSocket: does one thing at a time and keeps what comes aside.

use super::server::HOST;
use super::ws::{CLOSE, code_bytes};
use super::{BIND, CLIENT, ETHERX, FRAMING, Got, Http, PASSWORD, SASL, SM, STANZAS, STREAMS};
use super::{TestServer, Ws};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use stanzad::xml::{Element, Limits};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

pub const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>";
pub const CLOSE_STREAM: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

/// A client, however far it has got.
pub struct Client {
    /// The domain that it speaks to.
    pub host: String,
    pub ws: Ws,
    /// The full address, once bound.
    pub jid: String,
    /// The last features.
    pub features: Element,
    /// The id of the last stream.
    pub stream_id: String,
    /// What came while something else was awaited.
    pub inbox: VecDeque<Element>,
}

/// An id that no other stanza of this program has.
pub fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("id{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn parse(text: &str) -> Element {
    let limits = Limits {
        depth: u16::MAX,
        attributes: u16::MAX,
        ..Limits::default()
    };
    Element::parse_within(text, limits).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

impl Client {
    /// Connected and open; features with SASL are read.
    pub async fn open(server: &TestServer) -> Self {
        Self::over(Http::connect(server).await).await
    }

    pub async fn over(http: Http) -> Self {
        Self::on(Ws::over(http).await).await
    }

    /// The same with a server for another domain.
    pub async fn over_host(http: Http, host: &str) -> Self {
        Self::on_host(Ws::over(http).await, host).await
    }

    /// The same on a WebSocket that is up.
    pub async fn on(ws: Ws) -> Self {
        Self::on_host(ws, HOST).await
    }

    pub async fn on_host(ws: Ws, host: &str) -> Self {
        let mut client = Self {
            host: host.to_owned(),
            ws,
            jid: String::new(),
            features: Element::new("features", ETHERX),
            stream_id: String::new(),
            inbox: VecDeque::new(),
        };
        client.reopen().await;
        client
    }

    /// `<open/>`, and its answer with features.
    pub async fn reopen(&mut self) {
        let open = OPEN.replace(HOST, &self.host);
        self.send(&open).await;
        let open = self.read().await;
        assert!(open.is("open", FRAMING), "{open}");
        self.stream_id = open.attr("id").expect("an id").to_owned();
        self.features = self.read().await;
        assert!(self.features.is("features", ETHERX), "{}", self.features);
    }

    /// Logged in by PLAIN and restarted, without a resource.
    pub async fn authenticated(server: &TestServer, name: &str) -> Self {
        let mut client = Self::open(server).await;
        client.plain(name).await;
        client
    }

    /// One step of SASL: sends the element with this data, returns what comes back.
    pub async fn sasl(&mut self, element: &str, data: impl AsRef<[u8]>) -> Element {
        let tag = element.split(' ').next().expect("a name");
        let data = BASE64.encode(data);
        self.send(&format!("<{element} xmlns='{SASL}'>{data}</{tag}>"))
            .await;
        self.read().await
    }

    /// The names of the mechanisms that are offered.
    pub fn mechanisms(&self) -> Vec<String> {
        let mechanisms = self.features.child("mechanisms", SASL).expect("mechanisms");
        mechanisms.children().map(Element::text).collect()
    }

    pub async fn plain(&mut self, name: &str) {
        self.plain_with(name, PASSWORD).await;
    }

    pub async fn plain_with(&mut self, name: &str, password: &str) {
        self.send(&plain_auth(name, password)).await;
        let success = self.read().await;
        assert!(success.is("success", SASL), "{success}");
        self.reopen().await;
    }

    /// Bound, with a resource of the server's making.
    pub async fn login(server: &TestServer, name: &str) -> Self {
        let mut client = Self::authenticated(server, name).await;
        client.bind(None).await;
        client
    }

    /// Bound with this resource.
    pub async fn login_as(server: &TestServer, name: &str, resource: &str) -> Self {
        let mut client = Self::authenticated(server, name).await;
        client.bind(Some(resource)).await;
        client
    }

    /// Bound with this resource, and available.
    pub async fn available_as(server: &TestServer, name: &str, resource: &str) -> Self {
        let mut client = Self::login_as(server, name, resource).await;
        client
            .become_available("<presence xmlns='jabber:client'/>")
            .await;
        client
    }

    /// Sends initial presence; what it causes has come when this returns.
    pub async fn become_available(&mut self, presence: &str) {
        self.send(presence).await;
        let own = self.read().await;
        assert_eq!(own.name(), "presence", "{own}");
        assert_eq!(own.attr("from"), Some(&*self.jid), "{own}");
    }

    pub async fn bind(&mut self, resource: Option<&str>) {
        let answer = self.try_bind(resource).await;
        assert_eq!(answer.attr("type"), Some("result"), "{answer}");
        let bind = answer.child("bind", BIND).expect("a bind");
        self.jid = bind.child("jid", BIND).expect("an address").text();
    }

    pub async fn try_bind(&mut self, resource: Option<&str>) -> Element {
        let resource = resource.map(|resource| format!("<resource>{resource}</resource>"));
        let resource = resource.unwrap_or_default();
        self.iq(
            "set",
            "",
            &format!("<bind xmlns='{BIND}'>{resource}</bind>"),
        )
        .await
    }

    /// The address without the resource.
    pub fn bare(&self) -> &str {
        self.jid.split('/').next().expect("an address")
    }

    pub async fn send(&mut self, text: &str) {
        self.ws.text(text).await;
    }

    /// The next element off the wire; not what was put aside.
    pub async fn read(&mut self) -> Element {
        match self.ws.next().await {
            Got::Text(text) => parse(&text),
            other => panic!("{}: an element was to come, not {other:?}", self.jid),
        }
    }

    /// The next element.
    pub async fn next(&mut self) -> Element {
        match self.inbox.pop_front() {
            Some(element) => element,
            None => self.read().await,
        }
    }

    /// The next stanza of this name; the rest is put aside.
    pub async fn next_named(&mut self, name: &str) -> Element {
        self.next_where(|element| element.name() == name).await
    }

    /// The next element like that; the rest is put aside.
    pub async fn next_where(&mut self, wanted: impl Fn(&Element) -> bool) -> Element {
        if let Some(at) = self.inbox.iter().position(&wanted) {
            return self.inbox.remove(at).expect("it is there");
        }
        loop {
            let element = self.read().await;
            if wanted(&element) {
                return element;
            }
            self.inbox.push_back(element);
        }
    }

    /// Asks and awaits the answer; what else comes is put aside. `to` may be empty.
    pub async fn iq(&mut self, kind: &str, to: &str, payload: &str) -> Element {
        let id = fresh_id();
        let to = attribute("to", to);
        self.send(&format!(
            "<iq xmlns='{CLIENT}' type='{kind}' id='{id}'{to}>{payload}</iq>"
        ))
        .await;
        self.answer(&id).await
    }

    /// The answer to the iq of this id.
    pub async fn answer(&mut self, id: &str) -> Element {
        let is_answer = |element: &Element| {
            element.name() == "iq"
                && element.attr("id") == Some(id)
                && matches!(element.attr("type"), Some("result" | "error"))
        };
        self.next_where(is_answer).await
    }

    /// Sends a chat message with a body.
    pub async fn chat(&mut self, to: &str, text: &str) {
        let id = fresh_id();
        self.send(&format!(
            "<message xmlns='{CLIENT}' to='{to}' id='{id}' type='chat'><body>{text}</body></message>"
        ))
        .await;
    }

    /// Everything that came before the answer to a ping, and so everything that there is to come.
    pub async fn sync(&mut self) -> Vec<Element> {
        let host = self.host.clone();
        let pong = self.iq("get", &host, "<ping xmlns='urn:xmpp:ping'/>").await;
        assert_eq!(pong.attr("type"), Some("result"), "{pong}");
        self.inbox.drain(..).collect()
    }

    /// Nothing is there for this client.
    #[track_caller]
    pub fn hears_nothing(&mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let heard = self.sync().await;
            assert!(heard.is_empty(), "{caller}: {}", show(&heard));
        }
    }

    /// The messages that are there.
    pub async fn messages(&mut self) -> Vec<Element> {
        let mut heard = self.sync().await;
        heard.retain(|stanza| stanza.name() == "message");
        heard
    }

    /// The bodies of the messages that are there.
    pub async fn bodies(&mut self) -> Vec<String> {
        bodies(&self.messages().await)
    }

    /// So many messages, which come from the store and so in their own time, and no more.
    pub async fn stored(&mut self, count: usize) -> Vec<Element> {
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.push(self.next_named("message").await);
        }
        let more = self.bodies().await;
        assert!(more.is_empty(), "and {more:?}");
        messages
    }

    /// The server refuses: `<stream:error/>` with one of the conditions, `<close/>`, the Close
    /// frame, the end of TCP, in this order and with nothing between. Returns the error.
    #[track_caller]
    pub fn refused(&mut self, conditions: &[&str]) -> impl Future<Output = Element> {
        let caller = std::panic::Location::caller();
        async move {
            let (texts, code) = self.ws.read_to_end().await;
            let [error, close] = texts.as_slice() else {
                panic!("{caller}: not an error and a close, but {texts:?}, {code:?}");
            };
            assert!(code.is_some(), "{caller}: no Close frame after {texts:?}");
            let (error, close) = (parse(error), parse(close));
            assert!(close.is("close", FRAMING), "{caller}: {close}");
            assert!(error.is("error", ETHERX), "{caller}: {error}");
            let found = stream_condition(&error);
            assert!(
                conditions.contains(&&*found),
                "{caller}: wanted {conditions:?}, got {error}"
            );
            error
        }
    }

    /// Closes the stream in order, to the end of TCP.
    pub async fn close(mut self) {
        self.send(CLOSE_STREAM).await;
        loop {
            match self.ws.next().await {
                Got::Text(text) if parse(&text).is("close", FRAMING) => break,
                Got::Text(_) => {}
                other => panic!("no <close/>, but {other:?}"),
            }
        }
        self.ws.frame(CLOSE, code_bytes(1000)).await;
        self.ws.read_to_end().await;
    }

    /// Closes the stream if it still goes on, so that the next one finds its resource free.
    pub async fn end(self, is_alive: bool) {
        if is_alive {
            self.close().await;
        }
    }

    /// Switches stream management on. Returns `<enabled/>`.
    pub async fn enable(&mut self, attributes: &str) -> Element {
        self.send(&format!("<enable xmlns='{SM}' {attributes}/>"))
            .await;
        let enabled = self.next_where(|e| e.namespace() == SM).await;
        assert!(enabled.is("enabled", SM), "{enabled}");
        enabled
    }

    /// Switches it on with resumption. Returns the id.
    pub async fn enable_resumable(&mut self) -> String {
        let enabled = self.enable("resume='true'").await;
        enabled.attr("id").expect("an id").to_owned()
    }

    /// Asks how much was handled.
    pub async fn ask_h(&mut self) -> u32 {
        self.send(&format!("<r xmlns='{SM}'/>")).await;
        let answer = self.next_where(|e| e.is("a", SM)).await;
        h(&answer)
    }

    pub async fn ack(&mut self, h: u32) {
        self.send(&format!("<a xmlns='{SM}' h='{h}'/>")).await;
    }

    /// Logs in anew and asks for a session. Returns what came of it.
    pub async fn try_resume(
        server: &TestServer,
        name: &str,
        previd: &str,
        h: &str,
    ) -> (Self, Element) {
        let mut client = Self::authenticated(server, name).await;
        let answer = client.ask_resume(previd, h).await;
        (client, answer)
    }

    pub async fn ask_resume(&mut self, previd: &str, h: &str) -> Element {
        self.send(&format!("<resume xmlns='{SM}' previd='{previd}' h='{h}'/>"))
            .await;
        self.next_where(|e| e.namespace() == SM).await
    }

    /// The same, and it has to succeed. Returns the server's `h`, too.
    pub async fn resume(server: &TestServer, name: &str, previd: &str, h_in: u32) -> (Self, u32) {
        let (client, answer) = Self::try_resume(server, name, previd, &h_in.to_string()).await;
        assert!(answer.is("resumed", SM), "{answer}");
        assert_eq!(answer.attr("previd"), Some(previd), "{answer}");
        let h = h(&answer);
        (client, h)
    }
}

/// The `h` of a nonza.
pub fn h(nonza: &Element) -> u32 {
    let h = nonza.attr("h").unwrap_or_else(|| panic!("no h: {nonza}"));
    h.parse().expect("a count")
}

/// The condition of a `<failure/>` of SASL.
#[track_caller]
pub fn failure(element: &Element) -> &str {
    assert!(element.is("failure", SASL), "{element}");
    element.children().next().expect("a condition").name()
}

pub fn plain_auth(name: &str, password: &str) -> String {
    let data = BASE64.encode(format!("\0{name}\0{password}"));
    format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{data}</auth>")
}

/// ` name='value'`, or nothing.
pub fn attribute(name: &str, value: &str) -> String {
    match value {
        "" => String::new(),
        value => format!(" {name}='{value}'"),
    }
}

/// The text of the body.
pub fn body(message: &Element) -> String {
    let body = message.child("body", CLIENT);
    body.map(Element::text).unwrap_or_default()
}

pub fn bodies(messages: &[Element]) -> Vec<String> {
    messages.iter().map(body).collect()
}

/// The one defined condition of a stanza error, which is checked as a whole (RFC 6120 §8.3).
#[track_caller]
pub fn condition(stanza: &Element) -> String {
    assert_eq!(stanza.attr("type"), Some("error"), "{stanza}");
    let error = stanza.child("error", CLIENT).expect("an <error/>");
    assert!(
        matches!(
            error.attr("type"),
            Some("auth" | "cancel" | "continue" | "modify" | "wait")
        ),
        "{stanza}"
    );
    let mut conditions = error
        .children()
        .filter(|child| child.namespace() == STANZAS && child.name() != "text");
    let condition = conditions.next().expect("a condition").name().to_owned();
    assert!(conditions.next().is_none(), "two conditions: {stanza}");
    condition
}

/// The one defined condition of a stream error (RFC 6120 §4.9.2).
#[track_caller]
pub fn stream_condition(error: &Element) -> String {
    let mut conditions = error
        .children()
        .filter(|child| child.namespace() == STREAMS && child.name() != "text");
    let condition = conditions.next().expect("a condition").name().to_owned();
    assert!(conditions.next().is_none(), "two conditions: {error}");
    condition
}

pub fn show(elements: &[Element]) -> String {
    elements.iter().map(|e| format!("{e}\n")).collect()
}

/// Makes two accounts see each other; what that causes has come when this returns.
pub async fn befriend(a: &mut Client, b: &mut Client) {
    let (a_bare, b_bare) = (a.bare().to_owned(), b.bare().to_owned());
    for (from_a, to, kind) in [
        (true, &b_bare, "subscribe"),
        (false, &a_bare, "subscribed"),
        (false, &a_bare, "subscribe"),
        (true, &b_bare, "subscribed"),
    ] {
        let client = if from_a { &mut *a } else { &mut *b };
        client
            .send(&format!(
                "<presence xmlns='{CLIENT}' to='{to}' type='{kind}'/>"
            ))
            .await;
        client.sync().await;
    }
    a.sync().await;
    b.sync().await;
    a.sync().await;
}

/// Whether a resumption was refused because there is no such session.
pub fn item_not_found(answer: &Element) -> bool {
    answer.is("failed", SM) && answer.child("item-not-found", STANZAS).is_some()
}
