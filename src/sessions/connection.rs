//! The link that carries a stream.

use crate::auth::{Admission, ChannelBinding};
use std::net::IpAddr;
use std::sync::Arc;

/// How a client speaks to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// RFC 7395
    WebSocket,
    /// XEP-0124
    Bosh,
}

impl Transport {
    /// The word that the log shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Bosh => "bosh",
        }
    }
}

/// What is known of the link that carries a stream.
#[derive(Debug, Clone)]
pub struct Connection {
    /// WebSocket or BOSH.
    pub transport: Transport,
    /// The subprotocol of a WebSocket whose frames are transcoded; `None`: XML, as anywhere else.
    pub subprotocol: Option<Arc<str>>,
    /// The name of the `[[endpoint]]`.
    pub endpoint: Arc<str>,
    /// The path of the request, without a slash at its end.
    pub path: Arc<str>,
    /// The query of the request, without what authenticates; empty if there was none.
    pub query: Arc<str>,
    /// What was decided about the client before it was let in, and then by its login; `None` says
    /// nothing.
    pub admission: Option<Arc<Admission>>,
    /// The address of the client, as far as proxies that we trust tell it.
    pub address: IpAddr,
    /// The client itself is on this machine, and not merely a proxy of it.
    pub on_this_machine: bool,
    /// Nobody can listen in: TLS here, or a trusted proxy says so, or loopback on both ends.
    pub private: bool,
    /// Channel-binding data, where TLS ends here.
    pub binding: ChannelBinding,
}
