//! What an application puts into a server before it starts.

use super::keys::Keys;
use super::start::Parts;
use super::{Handover, Server, StartError};
use crate::backend::local::Service;
use crate::config::Config;

/// A server to be. See [`Server::builder`].
#[must_use = "nothing is served before it is built"]
pub struct ServerBuilder {
    config: Config,
    demo: bool,
    pub(super) keys: Keys,
    pub(super) services: Vec<Box<dyn Service>>,
}

impl ServerBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            demo: false,
            keys: Keys::default(),
            services: Vec::new(),
        }
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
        let parts = Parts::assemble(self.config, self.demo, self.services).await?;
        Server::assemble(parts, self.keys, sockets).await
    }
}
