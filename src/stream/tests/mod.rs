//! Whole conversations in simulated time.

mod bosh;
mod framing;
mod latency;
mod login;
mod loss;
mod management;
mod transcoded;

use super::*;
use crate::auth::{LinkSecurity, Mechanism, Refusal, SaslFailure};
use crate::stanza::{Kind, MessageType, Stanza};
use std::time::SystemTime;

/// A stream, a clock, and a backend that says yes.
pub(super) struct Talk {
    pub stream: Stream,
    pub now: Instant,
    pub options: SharedOptions,
    /// Stanzas that reached the backend.
    pub routed: Vec<Stanza>,
    /// Answers that the stream put into its own mailbox.
    pub answers: Vec<Outbound>,
    pub notices: Vec<Notice>,
    /// Answer `Handled` by hand.
    pub backend_is_slow: bool,
    /// The session that may be resumed.
    pub parked: Option<Box<Sm>>,
    pub waiting: usize,
}

pub(super) const PREVID: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn options() -> StreamOptions {
    StreamOptions {
        hosts: vec!["example.org".into(), "example.net".into()],
        max_stanza_bytes: 262_144,
        max_stanza_bytes_before_auth: 10_240,
        xml: crate::xml::Limits::default(),
        ws_idle_timeout: Duration::from_secs(90),
        bosh_inactivity: Duration::from_secs(60),
        login_timeout: Duration::from_secs(30),
        failures_per_stream: 3,
        registration: false,
        see_other_uri: None,
        sm: SmOptions {
            enabled: true,
            unsolicited_ack_frequency: 0,
            unsolicited_ack_delay: Duration::from_secs(1),
            ack_request_frequency: 5,
            ack_request_delay: Duration::from_secs(1),
            ack_timeout: Duration::from_secs(60),
            resume_timeout: Duration::from_secs(600),
            max_hibernating_per_user: 8,
            max_unacked: 1000,
            max_unacked_bytes: 1 << 22,
            first_h: 0,
        },
    }
}

fn counted_ids() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Talk {
    pub fn new() -> Self {
        Self::with(options())
    }

    pub fn with(options: StreamOptions) -> Self {
        let now = Instant::now();
        let options = Arc::new(arc_swap::ArcSwap::from_pointee(options));
        let mechanisms = [Mechanism::Plain, Mechanism::Anonymous];
        let offer = Arc::new(Offer::new(mechanisms, &LinkSecurity::Confidential));
        let stream = Stream::new(now, Framing::WebSocket, offer, options.clone(), counted_ids);
        Self {
            stream,
            now,
            options,
            routed: Vec::new(),
            answers: Vec::new(),
            notices: Vec::new(),
            backend_is_slow: false,
            parked: None,
            waiting: 0,
        }
    }

    /// A talk with a bound session of `juliet@example.org/balcony`.
    pub fn bound() -> Self {
        Self::new().bind()
    }

    pub fn bind(mut self) -> Self {
        self.log_in();
        let answer = self.say(BIND);
        assert_eq!(answer.len(), 1, "{answer:?}");
        assert!(
            answer[0].contains("<jid>juliet@example.org/balcony</jid>"),
            "{answer:?}"
        );
        self
    }

    /// The same with stream management and resumption.
    pub fn managed() -> Self {
        Self::bound().enable()
    }

    pub fn enable(mut self) -> Self {
        let answer = self.say(r#"<enable xmlns="urn:xmpp:sm:3" resume="true"/>"#);
        assert_eq!(
            answer,
            [format!(
                r#"<enabled xmlns="urn:xmpp:sm:3" id="{PREVID}" resume="true" max="600"/>"#
            )]
        );
        self
    }

    pub fn log_in(&mut self) {
        self.say(OPEN);
        let answer = self.say(AUTH);
        assert_eq!(
            answer,
            [r#"<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>"#]
        );
        let answer = self.say(OPEN);
        assert_eq!(answer.len(), 2, "{answer:?}");
    }

    /// A stream that resumes what `self` left behind; its client has handled `h`.
    pub fn resume(self, waiting: usize) -> Self {
        let options = (**self.options.load()).clone();
        let Finish::Hibernate(sm) = self.stream.finish() else {
            panic!("it does not hibernate")
        };
        let mut next = Self::with(options);
        next.parked = Some(sm);
        next.waiting = waiting;
        next.log_in();
        next
    }

    /// Says one frame; returns what comes back.
    pub fn say(&mut self, frame: &str) -> Vec<String> {
        assert!(
            self.stream.wants_frame(),
            "no frame is wanted before {frame}"
        );
        self.stream.on_frame(self.now, frame);
        self.hear()
    }

    /// Lets time pass; returns what comes.
    pub fn wait(&mut self, time: Duration) -> Vec<String> {
        let until = self.now + time;
        let mut heard = Vec::new();
        while let Some(due) = self.stream.poll_timeout().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.stream.on_timeout(self.now);
            heard.extend(self.hear());
        }
        self.now = until;
        heard
    }

    pub fn deliver(&mut self, body: &str) -> Vec<String> {
        assert!(self.stream.has_room());
        let text = format!(
            r#"<message xmlns="jabber:client" from="romeo@example.net/orchard"><body>{body}</body></message>"#
        );
        let kind = Kind::Message(MessageType::Normal);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        self.stream
            .deliver(self.now, Outbound::new(text.into(), kind, at));
        self.hear()
    }

    pub fn handled(&mut self) -> Vec<String> {
        self.stream.on_backend(self.now, Reply::Handled);
        self.hear()
    }

    /// Everything that the stream has to say, with the backend answering.
    pub fn hear(&mut self) -> Vec<String> {
        while let Some(event) = self.stream.poll_event() {
            if let Some(reply) = self.backend(event) {
                self.stream.on_backend(self.now, reply);
            }
        }
        let mut heard = Vec::new();
        while let Some(transmit) = self.stream.poll_transmit() {
            heard.push(match transmit {
                Transmit::Open { from, id } => open(&from, &id).to_string(),
                Transmit::Element(text) | Transmit::Transcoded(text) | Transmit::Error(text) => {
                    text.to_string()
                }
                Transmit::Redirect(uri) => close_to(&uri).to_string(),
                Transmit::Leave => "(the link ends)".to_owned(),
                Transmit::Close(_) => CLOSE.to_owned(),
            });
        }
        heard
    }

    fn backend(&mut self, event: Event) -> Option<Reply> {
        let refused = SaslFailure::NotAuthorized(Refusal::WrongPassword);
        match event {
            Event::SaslBegin { initial, .. } => Some(match initial.as_deref() {
                Some(b"\0juliet\0secret") => Reply::Authenticated {
                    account: account(),
                    data: None,
                },
                None => Reply::Challenge(Vec::new()),
                Some(_) => Reply::SaslFailed(refused),
            }),
            Event::SaslResponse(data) if data == b"\0juliet\0secret" => {
                Some(Reply::Authenticated {
                    account: account(),
                    data: Some(b"v".to_vec()),
                })
            }
            Event::SaslResponse(_) => Some(Reply::SaslFailed(refused)),
            Event::Bind { resource, .. } => Some(match resource.as_deref() {
                Some("taken") => Reply::BindRefused(crate::stanza::Condition::Conflict.into()),
                resource => Reply::Bound {
                    jid: account()
                        .with_resource_str(resource.unwrap_or("balcony"))
                        .unwrap(),
                    previd: PREVID.to_owned(),
                },
            }),
            Event::Resume { previd, .. } => Some(match self.parked.take() {
                Some(sm) if previd == PREVID => Reply::Resumed {
                    jid: account().with_resource_str("balcony").unwrap(),
                    previd,
                    sm,
                    waiting: self.waiting,
                },
                parked => {
                    self.parked = parked;
                    Reply::ResumeFailed { h: Some(7) }
                }
            }),
            Event::Route(stanza) => {
                self.routed.push(stanza);
                (!self.backend_is_slow).then_some(Reply::Handled)
            }
            Event::Answer(answer) => {
                self.answers.push(answer);
                None
            }
            Event::Notice(notice) => {
                self.notices.push(notice);
                None
            }
            Event::Register { .. } => Some(Reply::Registered("<iq/>".into())),
            Event::SaslAborted | Event::Inactive(_) => None,
        }
    }

    /// Says a frame that must end the stream with this condition; nothing of it is processed.
    pub fn expect_fault(&mut self, frame: &str, condition: &str) {
        let routed = self.routed.len();
        let heard = self.say(frame);
        let ends = matches!(&heard[..], [.., error, close]
            if error.starts_with("<stream:error ") && error.contains(&format!("<{condition} ")) && close == CLOSE);
        assert!(ends, "{frame} got {heard:?} instead of {condition}");
        assert_eq!(self.routed.len(), routed, "{frame} was processed");
    }
}

pub(super) fn account() -> BareJid {
    "juliet@example.org".parse().unwrap()
}

pub(super) const OPEN: &str =
    r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.org" version="1.0"/>"#;
/// `\0juliet\0secret`
pub(super) const AUTH: &str = r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">AGp1bGlldABzZWNyZXQ=</auth>"#;
pub(super) const BIND: &str = r#"<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>balcony</resource></bind></iq>"#;
pub(super) const MESSAGE: &str = r#"<message xmlns="jabber:client" to="romeo@example.net" type="chat"><body>hi</body></message>"#;
