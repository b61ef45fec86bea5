//! What is told of a session.

use super::{Session, SessionId, Transport};
use crate::stanza::address::FullJid;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What an application or an operator is told of a session, as it was when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Names it. Also the `previd` of stream management: whoever has it and the password of the
    /// account can take the session over.
    pub id: SessionId,
    /// Its full address.
    pub jid: FullJid,
    /// Whether a stream carries it; otherwise it waits to be resumed.
    pub attached: bool,
    /// The name of the endpoint that its client came by; "bosh" for BOSH. `None` for a session of
    /// the last process that nobody has come back for, as all that follows up to `address`.
    pub endpoint: Option<Arc<str>>,
    /// The path, without a slash at its end.
    pub path: Option<Arc<str>>,
    /// The query, without what authenticates.
    pub query: Option<Arc<str>>,
    /// WebSocket or BOSH.
    pub transport: Option<Transport>,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The login at the web application.
    pub login: Option<String>,
    /// What the application gave it when it let it in.
    pub data: BTreeMap<String, String>,
    /// The groups it is in.
    pub groups: Vec<Arc<str>>,
    /// How many stanzas wait in its mailbox.
    pub waiting: usize,
    /// How many bytes are held for it, unacked ones included.
    pub held_bytes: usize,
}

impl Session {
    /// What is told of it. Cost: some small copies.
    pub fn info(&self) -> SessionInfo {
        let connection = self.connection();
        let connection = connection.as_deref();
        let admission = self.admission();
        SessionInfo {
            id: self.id(),
            jid: self.jid().clone(),
            attached: self.is_attached(),
            endpoint: connection.map(|connection| connection.endpoint.clone()),
            path: connection.map(|connection| connection.path.clone()),
            query: connection.map(|connection| connection.query.clone()),
            transport: connection.map(|connection| connection.transport),
            address: connection.map(|connection| connection.address),
            login: admission
                .as_ref()
                .and_then(|admission| admission.login.clone()),
            data: admission
                .map(|admission| admission.data.clone())
                .unwrap_or_default(),
            groups: self.groups().clone(),
            waiting: self.waiting(),
            held_bytes: self.held(),
        }
    }
}
