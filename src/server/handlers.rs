//! Services of the application: each has a domain of its own below those of the server.

use super::guarded::{Outcome, guarded};
use super::{SessionHandle, WeakServer};
use crate::backend::local::services::{Answer, Entity};
use crate::backend::local::{Local, Service};
use crate::backend::{BoxFuture, Routed};
use crate::sessions::Session;
use crate::stanza::{
    Condition, IqType, Kind, MessageType, Payload, Stanza, StanzaError, iq_result,
};
use crate::xml::Element;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a handler may take for one stanza. Then its sender gets an error.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(10);

/// So long the next stanza of a client waits for the answer to this one, so that order holds. A
/// handler that takes longer answers when it is done, and holds nothing up.
const IN_ORDER_TIMEOUT: Duration = Duration::from_secs(1);

const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// A service of the application, at an address such as `echo.example.org`.
///
/// It is found by disco#items of the domain, and its disco#info is answered for it. It gets
/// messages (but errors), and iqs of type get and set.
pub trait Handler: Send + Sync + 'static {
    /// Takes a stanza of a client. `Some` is sent to that client, from the address that was written
    /// to: use [`Stanza::answered`]. An iq that gets no answer is answered by
    /// `feature-not-implemented`.
    ///
    /// An error is what the sender gets. One that panics is an `internal-server-error`, and one
    /// that takes longer than ten seconds a `remote-server-timeout`; its other stanzas, and all
    /// other clients, notice nothing.
    ///
    /// # Errors
    ///
    /// The stanza error for the sender.
    fn handle(
        &self,
        from: &SessionHandle,
        stanza: Stanza,
    ) -> impl Future<Output = Result<Option<Stanza>, StanzaError>> + Send;
}

type Handled = Result<Option<Stanza>, StanzaError>;

/// A [`Handler`] that can be put into a list.
trait AnyHandler: Send + Sync {
    fn handle(self: Arc<Self>, from: SessionHandle, stanza: Stanza) -> BoxFuture<Handled>;
}

impl<H: Handler> AnyHandler for H {
    fn handle(self: Arc<Self>, from: SessionHandle, stanza: Stanza) -> BoxFuture<Handled> {
        Box::pin(async move { Handler::handle(&*self, &from, stanza).await })
    }
}

/// One handler at its addresses.
pub(super) struct HandlerService {
    name: String,
    /// One for each domain that is served.
    domains: Vec<String>,
    handler: Arc<dyn AnyHandler>,
    server: WeakServer,
}

impl HandlerService {
    pub fn new(name: &str, hosts: &[Arc<str>], handler: impl Handler, server: WeakServer) -> Self {
        Self {
            name: name.to_owned(),
            domains: hosts.iter().map(|host| format!("{name}.{host}")).collect(),
            handler: Arc::new(handler),
            server,
        }
    }

    fn info(&self) -> String {
        let identity = Element::new("identity", DISCO_INFO)
            .with_attr("category", "component")
            .with_attr("type", "generic")
            .with_attr("name", &*self.name);
        let feature = |name| Element::new("feature", DISCO_INFO).with_attr("var", name);
        Element::new("query", DISCO_INFO)
            .with_child(identity)
            .with_children([feature(DISCO_INFO), feature(DISCO_ITEMS)])
            .to_string()
    }

    fn ask(&self, session: &Arc<Session>, stanza: Stanza) -> BoxFuture<Handled> {
        let Some(server) = self.server.upgrade() else {
            return Box::pin(async { Err(Condition::ServiceUnavailable.into()) });
        };
        let from = SessionHandle::new(&server, session);
        let work = self.handler.clone().handle(from, stanza);
        let name = self.name.clone();
        Box::pin(async move {
            let (problem, condition) = match guarded(HANDLER_TIMEOUT, work).await {
                Outcome::Done(handled) => return handled,
                Outcome::Panicked => ("panicked", Condition::InternalServerError),
                Outcome::TookTooLong => ("took too long", Condition::RemoteServerTimeout),
            };
            tracing::error!(handler = name, problem, "a handler gave no answer");
            Err(condition.into())
        })
    }
}

impl Service for HandlerService {
    fn answers(&self, _entity: Entity, _request: &Payload) -> bool {
        false
    }

    fn answer(
        &self,
        _local: &Arc<Local>,
        _request: &crate::backend::local::services::Request,
    ) -> Answer {
        Answer::Now(Err(Condition::ServiceUnavailable.into()))
    }

    fn items(&self, domain: &str) -> Vec<(String, String)> {
        let own = format!("{}.{domain}", self.name);
        match self.has_domain(&own) {
            true => vec![(own, self.name.clone())],
            false => Vec::new(),
        }
    }

    fn has_domain(&self, domain: &str) -> bool {
        self.domains.iter().any(|own| own == domain)
    }

    fn route(&self, local: &Arc<Local>, session: &Arc<Session>, stanza: Stanza) -> Routed {
        if let Some(content) = self.discovered(&stanza) {
            let text = iq_result(&stanza, &content);
            return local.answer(session, text, Kind::Iq(IqType::Result));
        }
        if !is_for_handlers(&stanza) {
            return Routed::Done;
        }
        let asked = self.ask(session, stanza.clone());
        let (local, session) = (local.clone(), session.clone());
        let exchange = tokio::spawn(async move {
            let handled = asked.await;
            answer(&local, &session, &stanza, handled)
        });
        Routed::Later(Box::pin(async move {
            let in_order = tokio::time::timeout(IN_ORDER_TIMEOUT, exchange).await;
            in_order.ok().and_then(Result::ok).flatten()
        }))
    }
}

impl HandlerService {
    /// What disco says of the handler, if that is asked.
    fn discovered(&self, stanza: &Stanza) -> Option<String> {
        let payload = stanza.payload.as_ref()?;
        let asks_handler = stanza.to.as_ref()?.node().is_none();
        if stanza.kind != Kind::Iq(IqType::Get) || !asks_handler {
            return None;
        }
        match payload {
            payload if payload.is("query", DISCO_INFO) => Some(self.info()),
            payload if payload.is("query", DISCO_ITEMS) => {
                Some(Element::new("query", DISCO_ITEMS).to_string())
            }
            _ => None,
        }
    }
}

/// Presences are of no use to them, and errors are answered by nobody.
fn is_for_handlers(stanza: &Stanza) -> bool {
    match stanza.kind {
        Kind::Message(kind) => kind != MessageType::Error,
        Kind::Iq(kind) => matches!(kind, IqType::Get | IqType::Set),
        Kind::Presence(_) => false,
    }
}

/// Returns the session if its mailbox is over its bound.
fn answer(
    local: &Local,
    session: &Arc<Session>,
    stanza: &Stanza,
    handled: Handled,
) -> Option<Arc<Session>> {
    let routed = match handled {
        Ok(Some(answer)) => {
            let from = stanza.to.as_ref().unwrap_or(&stanza.from);
            let answer = answer.sent_by(from).addressed_to(session.jid());
            local.answer(session, answer.text, answer.kind)
        }
        Ok(None) if matches!(stanza.kind, Kind::Iq(_)) => {
            local.refuse(session, stanza, Condition::FeatureNotImplemented)
        }
        Ok(None) => Routed::Done,
        Err(error) => local.refuse(session, stanza, error),
    };
    match routed {
        Routed::Pressed(session) => Some(session),
        Routed::Done | Routed::Later(_) => None,
    }
}

impl fmt::Debug for HandlerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerService({})", self.name)
    }
}

/// Sends everything back: `handlers = ["echo"]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl Handler for Echo {
    async fn handle(
        &self,
        _from: &SessionHandle,
        stanza: Stanza,
    ) -> Result<Option<Stanza>, StanzaError> {
        let content = stanza.content();
        Ok(Some(stanza.answered(&content)))
    }
}
