//! A client's link in the soak, over either transport.

use super::house::House;
use crate::http::peer::Peer;
use crate::server::simulation::rng::Rng;
use crate::server::simulation::websocket::WebSocket;
use crate::server::simulation::wire::Heard;
use crate::xml::Element;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

const NS: &str = "http://jabber.org/protocol/httpbind";

pub(super) enum Link {
    WebSocket(Box<WebSocket>),
    Bosh(Box<Bosh>),
}

impl Link {
    /// One over which a stream is being opened; `None`: it was turned away.
    pub fn open(house: &House, is_bosh: bool, from: SocketAddr, rng: &mut Rng) -> Option<Self> {
        if is_bosh {
            let bosh = Bosh::open(house.router(), from, rng);
            return Some(Self::Bosh(Box::new(bosh)));
        }
        let socket = house.connect(from, rng)?;
        Some(Self::WebSocket(Box::new(socket)))
    }

    pub fn say(&mut self, text: &str) {
        match self {
            Self::WebSocket(socket) => socket.say(text),
            Self::Bosh(bosh) => bosh.waiting.push_str(text),
        }
    }

    /// The stream begins anew after the login.
    pub fn restart(&mut self) {
        match self {
            Self::WebSocket(socket) => socket.open(),
            Self::Bosh(bosh) => bosh.wants = " to='example.org' xmpp:restart='true'",
        }
    }

    /// The end of the stream.
    pub fn close(&mut self) {
        match self {
            Self::WebSocket(socket) => {
                socket.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
            }
            Self::Bosh(bosh) => bosh.wants = " type='terminate'",
        }
    }

    /// Nothing arrives any more, and nobody is told. A BOSH client just stops asking.
    pub fn fall_silent(&mut self) {
        if let Self::WebSocket(socket) = self {
            socket.cable.half_open([true, true], true);
        }
    }

    pub async fn hear(&mut self) -> Heard {
        std::future::poll_fn(|cx| match self {
            Self::WebSocket(socket) => socket.poll_hear(cx),
            Self::Bosh(bosh) => bosh.poll_hear(cx),
        })
        .await
    }
}

type Answer = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// One request at a time, which takes along what has come together.
pub(super) struct Bosh {
    router: Router,
    from: SocketAddr,
    rid: u64,
    sid: Option<String>,
    waiting: String,
    wants: &'static str,
    heard: VecDeque<Element>,
    answer: Option<Answer>,
    is_over: bool,
}

impl Bosh {
    fn open(router: Router, from: SocketAddr, rng: &mut Rng) -> Self {
        let rid = rng.between(1, 1 << 40);
        let body = format!(
            "<body rid='{rid}' to='example.org' ver='1.11' wait='10' hold='1' xml:lang='en' \
             xmpp:version='1.0' xmlns='{NS}' xmlns:xmpp='urn:xmpp:xbosh'/>"
        );
        Self {
            answer: Some(Box::pin(serve(router.clone(), from, body))),
            router,
            from,
            rid: rid + 1,
            sid: None,
            waiting: String::new(),
            wants: "",
            heard: VecDeque::new(),
            is_over: false,
        }
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if let Some(element) = self.heard.pop_front() {
                return Poll::Ready(Heard::Element(element));
            }
            if self.is_over {
                return Poll::Ready(Heard::Lost);
            }
            let mut answer = self.answer.take().unwrap_or_else(|| self.ask());
            match answer.as_mut().poll(cx) {
                Poll::Ready(body) => self.on_answer(body),
                Poll::Pending => self.answer = Some(answer),
            }
            if self.answer.is_some() {
                return Poll::Pending;
            }
        }
    }

    fn ask(&mut self) -> Answer {
        let (rid, sid) = (self.rid, self.sid.as_deref().unwrap_or_default());
        let wants = std::mem::take(&mut self.wants);
        // A restart has nothing in it.
        let payload = match wants.contains("restart") {
            true => String::new(),
            false => std::mem::take(&mut self.waiting),
        };
        let body = format!(
            "<body rid='{rid}' sid='{sid}'{wants} xmlns='{NS}' xmlns:xmpp='urn:xmpp:xbosh'>\
             {payload}</body>"
        );
        self.rid += 1;
        Box::pin(serve(self.router.clone(), self.from, body))
    }

    fn on_answer(&mut self, body: Option<String>) {
        let Some(body) = body else {
            self.is_over = true;
            return;
        };
        let body = Element::parse(&body).expect("an answer is an element");
        if let Some(sid) = body.attr("sid") {
            self.sid = Some(sid.to_owned());
        }
        self.heard.extend(body.children().cloned());
        self.is_over |= body.attr("type") == Some("terminate");
    }
}

/// `None`: there is no such session any more, or the server lets nobody in.
async fn serve(mut router: Router, from: SocketAddr, body: String) -> Option<String> {
    let mut request = Request::post("/http-bind/")
        .header("Content-Type", "text/xml; charset=utf-8")
        .header("Content-Length", body.len())
        .body(Body::from(body))
        .expect("a request");
    request.extensions_mut().insert(Peer {
        secure: true,
        ..Peer::direct(from)
    });
    let Ok(response) = router.call(request).await;
    let is_ok = response.status() == StatusCode::OK;
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    let text = String::from_utf8(bytes.expect("a body").to_vec()).expect("text is UTF-8");
    is_ok.then_some(text)
}
