//! A BOSH client (XEP-0124, XEP-0206) over raw HTTP/1.1: connections that are kept alive, as many
//! as there are requests at once.

use super::xmpp::{fresh_id, parse};
use super::{BIND, CLIENT, ETHERX, HTTPBIND, Http, PASSWORD, Response, SASL, SM, TestServer};
use stanzad::xml::Element;
use std::collections::VecDeque;
use std::net::SocketAddr;

pub const PATH: &str = "/http-bind/";

/// A session.
pub struct Bosh {
    address: SocketAddr,
    pub sid: String,
    /// The rid of the next request.
    pub rid: u64,
    /// The answer to the creation.
    pub creation: Element,
    pub jid: String,
    /// What came and was not looked at.
    pub inbox: VecDeque<Element>,
    idle: Vec<Http>,
}

/// A request that is not answered yet.
pub struct Pending {
    http: Http,
    pub rid: u64,
}

impl Pending {
    /// The HTTP answer.
    pub async fn response(&mut self) -> Response {
        self.http.response().await
    }

    /// The body of the answer, whatever it says.
    pub async fn answer(&mut self) -> Element {
        let response = self.response().await;
        body_of(&response)
    }

    /// Drops the connection with the request.
    pub fn abort(self) {}
}

/// Reads an answer as every answer has to be.
pub fn body_of(response: &Response) -> Element {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(
        response.header("content-type").as_deref(),
        Some("text/xml; charset=utf-8")
    );
    let body = parse(response.text());
    assert!(body.is("body", HTTPBIND), "{body}");
    body
}

/// What a client says when it opens a session.
pub const CREATE: &str = "to='example.org' wait='60' hold='1' ver='1.11' xml:lang='en' \
    xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh' content='text/xml; charset=utf-8'";

/// The text of a `<body/>`.
pub fn wrap(attributes: &str, inner: &str) -> String {
    format!("<body xmlns='{HTTPBIND}' {attributes}>{inner}</body>")
}

/// Posts any text and returns the answer.
pub async fn post(server: &TestServer, text: &str) -> Response {
    let mut http = Http::connect(server).await;
    http.request("POST", PATH, "Content-Type: text/xml\r\n", text)
        .await;
    http.response().await
}

/// Opens a session with other attributes and returns the answer to that.
pub async fn create(server: &TestServer, attributes: &str) -> Element {
    body_of(&post(server, &wrap(&format!("rid='1000' {attributes}"), "")).await)
}

impl Bosh {
    /// A session; its answer has come, features may still be on their way.
    pub async fn create(server: &TestServer) -> Self {
        Self::create_with(server, CREATE).await
    }

    pub async fn create_with(server: &TestServer, attributes: &str) -> Self {
        let creation = create(server, attributes).await;
        Self::created(server.plain(), creation)
    }

    /// A session of a server that is a process of its own.
    pub async fn at(address: SocketAddr) -> Self {
        let body = wrap(&format!("rid='1000' {CREATE}"), "");
        let mut http = Http::to(address).await;
        http.request("POST", PATH, "Content-Type: text/xml\r\n", &body)
            .await;
        let creation = body_of(&http.response().await);
        Self::created(address, creation)
    }

    fn created(address: SocketAddr, creation: Element) -> Self {
        assert_eq!(creation.attr("type"), None, "{creation}");
        let mut bosh = Self {
            address,
            sid: creation.attr("sid").expect("a sid").to_owned(),
            rid: 1001,
            creation: Element::new("body", HTTPBIND),
            jid: String::new(),
            inbox: VecDeque::new(),
            idle: Vec::new(),
        };
        bosh.inbox.extend(creation.children().cloned());
        bosh.creation = creation;
        bosh
    }

    /// A session with features read.
    pub async fn open(server: &TestServer) -> (Self, Element) {
        let mut bosh = Self::create(server).await;
        let features = bosh.next().await;
        assert!(features.is("features", ETHERX), "{features}");
        (bosh, features)
    }

    /// Logged in and restarted.
    pub async fn authenticated(server: &TestServer, name: &str) -> Self {
        let (mut bosh, _) = Self::open(server).await;
        bosh.send(&super::xmpp::plain_auth(name, PASSWORD)).await;
        let success = bosh.next().await;
        assert!(success.is("success", SASL), "{success}");
        let features = bosh.restart().await;
        assert!(features.is("features", ETHERX), "{features}");
        bosh
    }

    /// XEP-0206 §5. Returns what comes of it.
    pub async fn restart(&mut self) -> Element {
        let attributes = "to='example.org' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'";
        let mut pending = self.request(attributes, "").await;
        self.take(&mut pending).await;
        self.idle.push(pending.http);
        self.next().await
    }

    pub async fn login(server: &TestServer, name: &str) -> Self {
        let mut bosh = Self::authenticated(server, name).await;
        let answer = bosh.iq("set", "", &format!("<bind xmlns='{BIND}'/>")).await;
        let bind = answer.child("bind", BIND).expect("a bind");
        bosh.jid = bind.child("jid", BIND).expect("an address").text();
        bosh
    }

    pub async fn available(server: &TestServer, name: &str) -> Self {
        let mut bosh = Self::login(server, name).await;
        bosh.send("<presence xmlns='jabber:client'/>").await;
        let own = bosh.next().await;
        assert_eq!(own.attr("from"), Some(&*bosh.jid), "{own}");
        bosh
    }

    /// Sends the next request and does not wait for the answer.
    pub async fn request(&mut self, attributes: &str, inner: &str) -> Pending {
        let rid = self.rid;
        self.rid += 1;
        self.request_of(rid, attributes, inner).await
    }

    /// The same with any rid.
    pub async fn request_of(&mut self, rid: u64, attributes: &str, inner: &str) -> Pending {
        let mut http = match self.idle.pop() {
            Some(http) => http,
            None => Http::to(self.address).await,
        };
        let text = wrap(
            &format!("rid='{rid}' sid='{}' {attributes}", self.sid),
            inner,
        );
        http.request(
            "POST",
            PATH,
            "Content-Type: text/xml; charset=utf-8\r\n",
            &text,
        )
        .await;
        Pending { http, rid }
    }

    /// The answer of a request; what is in it goes into the inbox.
    pub async fn take(&mut self, pending: &mut Pending) -> Element {
        let answer = pending.answer().await;
        self.inbox.extend(answer.children().cloned());
        answer
    }

    /// One request and its answer; what is in it goes into the inbox. Returns the body.
    pub async fn exchange(&mut self, inner: &str) -> Element {
        let mut pending = self.request("", inner).await;
        let answer = self.take(&mut pending).await;
        self.idle.push(pending.http);
        answer
    }

    /// Gives a connection back whose answer has been read.
    pub fn keep(&mut self, pending: Pending) {
        self.idle.push(pending.http);
    }

    pub async fn send(&mut self, inner: &str) {
        let answer = self.exchange(inner).await;
        assert_eq!(answer.attr("type"), None, "{answer}");
    }

    /// What comes next.
    pub async fn next(&mut self) -> Element {
        loop {
            if let Some(element) = self.inbox.pop_front() {
                return element;
            }
            self.send("").await;
        }
    }

    pub async fn iq(&mut self, kind: &str, to: &str, payload: &str) -> Element {
        let id = fresh_id();
        let to = super::xmpp::attribute("to", to);
        self.send(&format!(
            "<iq xmlns='{CLIENT}' type='{kind}' id='{id}'{to}>{payload}</iq>"
        ))
        .await;
        let mut aside = VecDeque::new();
        let answer = loop {
            let element = self.next().await;
            if element.name() == "iq" && element.attr("id") == Some(&*id) {
                break element;
            }
            aside.push_back(element);
        };
        aside.append(&mut self.inbox);
        self.inbox = aside;
        answer
    }

    /// Everything that there is.
    pub async fn sync(&mut self) -> Vec<Element> {
        self.iq("get", "example.org", "<ping xmlns='urn:xmpp:ping'/>")
            .await;
        self.inbox.drain(..).collect()
    }

    pub async fn chat(&mut self, to: &str, text: &str) -> Pending {
        let id = fresh_id();
        let stanza = format!(
            "<message xmlns='{CLIENT}' to='{to}' id='{id}' type='chat'><body>{text}</body></message>"
        );
        self.request("", &stanza).await
    }

    /// Ends the session in order.
    pub async fn terminate(&mut self, inner: &str) -> Element {
        let mut pending = self.request("type='terminate'", inner).await;
        pending.answer().await
    }

    /// Switches stream management on with resumption; returns the id.
    pub async fn enable_resumable(&mut self) -> String {
        self.send(&format!("<enable xmlns='{SM}' resume='true'/>"))
            .await;
        let enabled = self.next().await;
        assert!(enabled.is("enabled", SM), "{enabled}");
        enabled.attr("id").expect("an id").to_owned()
    }
}

/// The condition of a terminate.
#[track_caller]
pub fn terminated(body: &Element) -> &str {
    assert_eq!(body.attr("type"), Some("terminate"), "{body}");
    body.attr("condition").unwrap_or("")
}
