//! From the first features to a bound session: SASL (RFC 6120 §6), bind (§7), resumption.

use super::input::{Input, count};
use super::{Asked, Bound, Event, Finish, Notice, Sasl, Sm, State, Stream, StreamFault, write};
use crate::auth::{Malformed, SaslFailure};
use crate::stanza::address::{BareJid, FullJid};
use crate::stanza::{Condition, StanzaError};
use crate::xml::{Element, Frame};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Instant;

const BIND_NS: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const REGISTER_NS: &str = "jabber:iq:register";

impl Stream {
    /// Features with SASL are out.
    pub(super) fn on_negotiation(&mut self, now: Instant, frame: &Frame<'_, '_>, input: Input) {
        let State::Unauthenticated { sasl, .. } = self.state else {
            return;
        };
        match input {
            Input::Auth { mechanism, data } => self.on_auth(now, sasl, mechanism, data),
            Input::Response { data } if sasl == Sasl::Challenged => match decode(&data) {
                Ok(data) => self.ask_sasl(Event::SaslResponse(data)),
                Err(failure) => self.give_up_sasl(now, failure),
            },
            // RFC 6120 §6.4.3: a response answers a challenge.
            Input::Response { .. } => {
                self.on_sasl_failed(now, SaslFailure::MalformedRequest(Malformed::Syntax));
            }
            Input::Abort => self.give_up_sasl(now, SaslFailure::Aborted), // §6.4.4
            // XEP-0198 §3, §5: not before authentication.
            Input::Enable { .. } | Input::Resume { .. } => {
                self.element(write::sm_failed("unexpected-request", None));
            }
            Input::Stanza if self.may_register(frame) => {
                let host = self.host.clone();
                self.ask_sasl(Event::Register {
                    host,
                    request: frame.element().to_owned().into(),
                });
            }
            // RFC 6120 §4.9.3.12: stanzas, and what else has to wait.
            Input::Stanza | Input::AckRequest | Input::AckAnswer { .. } | Input::Inactive(_) => {
                self.fail(now, StreamFault::NotAuthorized);
            }
            Input::Error => self.fail(now, StreamFault::UnsupportedStanzaType),
            Input::Open(_) | Input::Close => {} // dealt with for all states
        }
    }

    /// RFC 6120 §6.4.2; a second `<auth/>` ends the exchange that the first one began.
    fn on_auth(
        &mut self,
        now: Instant,
        sasl: Sasl,
        mechanism: Option<String>,
        data: Option<String>,
    ) {
        if sasl == Sasl::Challenged {
            return self.give_up_sasl(now, SaslFailure::MalformedRequest(Malformed::Syntax));
        }
        // RFC 6120 §6.5.7
        let name = mechanism.as_deref().unwrap_or_default();
        let mechanism = match self.offer.as_ref().map(|offer| offer.select(name)) {
            Some(Ok(mechanism)) => mechanism,
            Some(Err(failure)) => return self.on_sasl_failed(now, failure),
            None => return self.on_sasl_failed(now, SaslFailure::InvalidMechanism),
        };
        let initial = match data.as_deref().map(decode).transpose() {
            Ok(initial) => initial,
            Err(failure) => return self.on_sasl_failed(now, failure),
        };
        let host = self.host.clone();
        self.ask_sasl(Event::SaslBegin {
            mechanism,
            initial,
            host,
        });
    }

    fn ask_sasl(&mut self, event: Event) {
        if let State::Unauthenticated { sasl, .. } = &mut self.state {
            *sasl = Sasl::Asked;
        }
        self.events.push_back(event);
    }

    fn give_up_sasl(&mut self, now: Instant, failure: SaslFailure) {
        self.events.push_back(Event::SaslAborted);
        self.on_sasl_failed(now, failure);
    }

    pub(super) fn on_challenge(&mut self, data: &[u8]) {
        let State::Unauthenticated { sasl, .. } = &mut self.state else {
            return;
        };
        *sasl = Sasl::Challenged;
        self.element(write::sasl("challenge", &encode(data)));
    }

    pub(super) fn on_authenticated_reply(&mut self, account: BareJid, data: Option<Vec<u8>>) {
        if !matches!(self.state, State::Unauthenticated { .. }) {
            return;
        }
        let data = data.as_deref().map(encode).unwrap_or_default();
        self.element(write::sasl("success", &data));
        self.state = State::Reopening { account };
    }

    /// The stream stays for another try, within bounds (RFC 6120 §6.4.5).
    pub(super) fn on_sasl_failed(&mut self, now: Instant, failure: SaslFailure) {
        let most = self.options.failures_per_stream;
        let State::Unauthenticated { failures, sasl } = &mut self.state else {
            return;
        };
        *sasl = Sasl::Idle;
        *failures += 1;
        let too_many = *failures >= most;
        self.element(write::sasl_failure(&failure));
        self.events
            .push_back(Event::Notice(Notice::AuthenticationFailed(failure)));
        if too_many {
            self.fail(now, StreamFault::TooManyFailures);
        }
    }

    /// XEP-0077 §3.1: the one request that may come before a login, if the operator allows it.
    fn may_register(&self, frame: &Frame<'_, '_>) -> bool {
        let first = frame.children().next();
        self.options.registration
            && frame.name() == "iq"
            && first
                .is_some_and(|child| child.name() == "query" && child.namespace() == REGISTER_NS)
    }

    pub(super) fn on_registered(&mut self, answer: crate::stanza::ByteString) {
        if let State::Unauthenticated { sasl, .. } = &mut self.state {
            *sasl = Sasl::Idle;
            self.element(answer);
        }
    }

    /// Features with bind are out.
    pub(super) fn on_authenticated(&mut self, now: Instant, frame: &Frame<'_, '_>, input: Input) {
        match input {
            Input::Stanza => self.on_bind_request(now, frame),
            Input::Resume { previd, h } => self.on_resume_request(previd, h),
            // XEP-0198 §3: after bind only.
            Input::Enable { .. } => self.element(write::sm_failed("unexpected-request", None)),
            _ => self.fail(now, StreamFault::UnsupportedStanzaType),
        }
    }

    /// RFC 6120 §7.1: nothing but bind.
    fn on_bind_request(&mut self, now: Instant, frame: &Frame<'_, '_>) {
        let Some(request) = BindRequest::read(frame) else {
            return self.fail(now, StreamFault::NotAuthorized);
        };
        let State::Authenticated { account, asked } = &mut self.state else {
            return;
        };
        match request {
            BindRequest::Bad { id } => {
                let error = StanzaError::from(Condition::BadRequest);
                self.element(write::bind_error(&id, &error));
            }
            BindRequest::Good { id, resource } => {
                *asked = Some(Asked::Bind { id });
                let account = account.clone();
                self.events.push_back(Event::Bind { account, resource });
            }
        }
    }

    pub(super) fn on_bound_reply(&mut self, jid: FullJid, previd: String) {
        let State::Authenticated {
            asked: Some(Asked::Bind { id }),
            ..
        } = &self.state
        else {
            return;
        };
        let answer = write::bind_result(id, &jid);
        self.element(answer);
        let bound = Bound {
            jid,
            previd,
            sm: None,
            routing: false,
            stale: 0,
        };
        self.state = State::Bound(Box::new(bound));
    }

    pub(super) fn on_bind_refused(&mut self, error: &StanzaError) {
        let State::Authenticated { asked, .. } = &mut self.state else {
            return;
        };
        if let Some(Asked::Bind { id }) = asked.take() {
            self.element(write::bind_error(&id, error));
        }
    }

    /// XEP-0198 §5: instead of bind.
    fn on_resume_request(&mut self, previd: Option<String>, h: Option<String>) {
        if !self.options.sm.enabled {
            return self.element(write::sm_failed("unexpected-request", None));
        }
        let (Some(previd), Some(h)) = (previd, count(h.as_deref())) else {
            return self.element(write::sm_failed("bad-request", None));
        };
        let State::Authenticated { account, asked } = &mut self.state else {
            return;
        };
        *asked = Some(Asked::Resume { h });
        let account = account.clone();
        self.events.push_back(Event::Resume { account, previd });
    }

    /// The client may bind now (XEP-0198 §5); `h` tells it what need not be sent again.
    pub(super) fn on_resume_failed(&mut self, h: Option<u32>) {
        let State::Authenticated { asked, .. } = &mut self.state else {
            return;
        };
        if matches!(asked.take(), Some(Asked::Resume { .. })) {
            self.element(write::sm_failed("item-not-found", h));
            self.events.push_back(Event::Notice(Notice::ResumeFailed));
        }
    }

    pub(super) fn on_resumed(
        &mut self,
        now: Instant,
        jid: FullJid,
        previd: String,
        mut sm: Box<Sm>,
        waiting: usize,
    ) {
        let h = match &mut self.state {
            State::Authenticated { asked, .. } => match asked.take() {
                Some(Asked::Resume { h }) => h,
                Some(Asked::Bind { .. }) | None => sm.acked(), // not asked for: nothing is missing
            },
            // The stream ended while the session was claimed: it waits for the next one.
            State::Closing { finish, .. } | State::Closed { finish } => {
                *finish = Finish::Hibernate(sm);
                return;
            }
            _ => return,
        };
        let accepted = sm.on_resume(now, h);
        let bound = Bound {
            jid,
            previd,
            sm: Some(sm),
            routing: false,
            stale: waiting,
        };
        self.state = State::Bound(Box::new(bound));
        match accepted {
            Ok(()) => self.resend(now),
            // XEP-0198 §6: the two sides count differently; there is no way to go on.
            Err(fault) => self.fail(now, StreamFault::HandledCountTooHigh(fault)),
        }
    }
}

/// An iq that asks for a resource.
enum BindRequest {
    Good {
        id: String,
        resource: Option<String>,
    },
    Bad {
        id: String,
    },
}

impl BindRequest {
    /// `None` if it is something else.
    fn read(frame: &Frame<'_, '_>) -> Option<Self> {
        let child = frame.children().next()?;
        if frame.name() != "iq" || child.name() != "bind" || child.namespace() != BIND_NS {
            return None;
        }
        let id = frame
            .attribute("id")
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        let is_request = frame.attribute("type").as_deref() == Some("set")
            && frame.children().len() == 1
            && !id.is_empty();
        let Ok(bind) = Element::parse(&frame.child_document(0, None)) else {
            return Some(Self::Bad { id });
        };
        if !is_request {
            return Some(Self::Bad { id });
        }
        let resource = bind.child("resource", BIND_NS).map(Element::text);
        Some(Self::Good {
            id,
            resource: resource.filter(|resource| !resource.is_empty()),
        })
    }
}

/// RFC 6120 §6.4.2: `=` is data of zero length.
fn decode(text: &str) -> Result<Vec<u8>, SaslFailure> {
    if text == "=" {
        return Ok(Vec::new());
    }
    BASE64
        .decode(text)
        .map_err(|_| SaslFailure::IncorrectEncoding)
}

fn encode(data: &[u8]) -> String {
    if data.is_empty() {
        "=".to_owned()
    } else {
        BASE64.encode(data)
    }
}
