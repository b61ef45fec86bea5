//! What a stream is told by the operator.

use super::SmOptions;
use crate::stanza::address;
use std::sync::Arc;
use std::time::Duration;

/// The options of all streams; replaced as a whole on reload.
pub type SharedOptions = Arc<arc_swap::ArcSwap<StreamOptions>>;

/// Options of a stream. Read at each use, so that a reload reaches open streams where it can.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// The domains served, canonical; at least one. The first is the default.
    pub hosts: Vec<Arc<str>>,
    /// `limits.max_stanza_bytes`
    pub max_stanza_bytes: usize,
    /// `limits.max_stanza_bytes_before_auth`
    pub max_stanza_bytes_before_auth: usize,
    /// Depth, attributes and the like of one element.
    pub xml: crate::xml::Limits,
    /// `ws.idle_timeout`, announced over WebSocket (XEP-0478); zero announces nothing.
    pub ws_idle_timeout: Duration,
    /// `bosh.inactivity`, announced over BOSH in the same way.
    pub bosh_inactivity: Duration,
    /// `limits.login_timeout`
    pub login_timeout: Duration,
    /// `auth.failures_per_stream`
    pub failures_per_stream: u32,
    /// `registration.enabled`
    pub registration: bool,
    /// `ws.see_other_uri`
    pub see_other_uri: Option<Arc<str>>,
    /// `[sm]`
    pub sm: SmOptions,
}

impl StreamOptions {
    /// The domain for a client that names none.
    pub fn default_host(&self) -> Arc<str> {
        self.hosts
            .first()
            .cloned()
            .unwrap_or_else(|| "localhost".into())
    }

    /// The domain that a client means, if it is served here.
    pub fn host(&self, to: &str) -> Option<Arc<str>> {
        if let Some(host) = self.hosts.iter().find(|host| &***host == to) {
            return Some(host.clone());
        }
        let to = address::parse_bare(to).ok()?;
        let is_domain = to.node().is_none();
        let host = self
            .hosts
            .iter()
            .find(|host| &***host == to.domain().as_str());
        host.filter(|_| is_domain).cloned()
    }
}
