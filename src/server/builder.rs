//! What an application puts into a server before it starts.

use super::authenticator::{Authenticator, Decides};
use super::handlers::HandlerService;
use super::keys::Keys;
use super::listeners::Listeners;
use super::start::Parts;
use super::{Echo, Handler, Handover, Listener, Server, StartError, WeakServer, options};
use crate::backend::local::Service;
use crate::config::{BuiltInHandler, Config};
use crate::http::transcoder::{Transcoder, Transcoders};
use std::sync::Arc;

/// A server to be. See [`Server::builder`].
#[must_use = "nothing is served before it is built"]
pub struct ServerBuilder {
    config: Config,
    demo: bool,
    authenticator: Option<Decides>,
    hosts: Vec<Arc<str>>,
    services: Vec<Box<dyn Service>>,
    listeners: Listeners,
    transcoders: Vec<(String, Box<dyn Transcoder>)>,
    server: WeakServer,
}

impl ServerBuilder {
    pub(super) fn new(config: Config) -> Self {
        let server = WeakServer::default();
        let builder = Self {
            hosts: options::hosts(&config),
            demo: false,
            authenticator: None,
            services: Vec::new(),
            listeners: Listeners::new(server.clone()),
            transcoders: Vec::new(),
            server,
            config,
        };
        builder.with_built_in_handlers()
    }

    fn with_built_in_handlers(self) -> Self {
        let names = self.config.handlers.clone();
        names.iter().fold(self, |builder, name| match name {
            BuiltInHandler::Echo => builder.handler("echo", Echo),
        })
    }

    /// Decides about each client before the 101, after the ways that its endpoint names
    /// (`endpoint.auth`). The last one given counts.
    pub fn authenticator(mut self, decides: impl Authenticator) -> Self {
        self.authenticator = Some(Decides::of(decides));
        self
    }

    /// Puts a service at `name.` and each domain that is served: `handler("echo", …)` answers what
    /// is sent to `echo.example.org`. Of two with the same name the first one is asked.
    pub fn handler(mut self, name: &str, handler: impl Handler) -> Self {
        let service = HandlerService::new(name, &self.hosts, handler, self.server.clone());
        self.services.push(Box::new(service));
        self
    }

    /// Tells a part of the application what becomes of sessions. There may be several; they are
    /// told one after the other, in the order in which they were given.
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.add(listener);
        self
    }

    /// Speaks otherwise than in XML with WebSocket clients that offer this subprotocol, on every
    /// endpoint. Of several that a client offers, the first one that is spoken here counts; `xmpp`
    /// is spoken always.
    ///
    /// The name is a token as `Sec-WebSocket-Protocol` has them, with its case. One that is none,
    /// `xmpp`, or the same name a second time is [`StartError::Subprotocol`] when the server is
    /// built.
    pub fn transcoder(mut self, subprotocol: &str, transcoder: impl Transcoder) -> Self {
        let transcoder: Box<dyn Transcoder> = Box::new(transcoder);
        self.transcoders.push((subprotocol.to_owned(), transcoder));
        self
    }

    /// Whether to make two accounts with fresh passwords, good on loopback only. Without it, those
    /// that an earlier demo made are deleted. Default: no.
    pub fn demo(mut self, demo: bool) -> Self {
        self.demo = demo;
        self
    }

    /// The server, without ports: for [`Server::router`], or to [`Server::serve`] later. Inside a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn build(self) -> Result<Server, StartError> {
        self.assemble(None).await
    }

    /// The server, listening on these sockets and those that the options name beside them.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn start_on(self, sockets: Handover) -> Result<Server, StartError> {
        self.assemble(Some(sockets)).await
    }

    async fn assemble(self, sockets: Option<Handover>) -> Result<Server, StartError> {
        if let Some(why) = self.config.complaints().into_iter().next() {
            return Err(StartError::Conflict(why));
        }
        let transcoders = Transcoders::of(self.transcoders)?;
        let (gate, passwords) = match self.authenticator {
            Some(decides) => (Some(decides.gate), decides.passwords),
            None => (None, None),
        };
        let mut keys = Keys::load(&self.config, gate)?;
        keys.transcoders = transcoders;
        let parts = Parts::assemble(self.config, self.demo, self.services, self.listeners).await?;
        if let Some(passwords) = passwords {
            parts.local.set_passwords(passwords);
        }
        Server::assemble(parts, keys, &self.server, sockets).await
    }
}
