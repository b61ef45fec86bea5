//! What ties an authentication to the TLS channel under it (RFC 5056, XEP-0440).

use std::fmt;

/// A way to name a TLS channel that both of its ends can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelBindingType {
    /// Keying material exported from the connection itself; TLS 1.3 (RFC 9266).
    TlsExporter,
    /// The hash of the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
}

impl ChannelBindingType {
    /// Every type, strongest first.
    pub const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// The registered name, as announced in `<channel-binding type=''/>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    /// The type of this registered name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

impl fmt::Display for ChannelBindingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The binding values of one TLS connection; all absent where TLS ended at a proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelBinding {
    /// 32 bytes of keying material under the label `EXPORTER-Channel-Binding` (RFC 9266 §2).
    ///
    /// Only for TLS 1.3: earlier versions do not guarantee that the value is unique (§3).
    pub tls_exporter: Option<[u8; 32]>,
    /// Hash of the certificate this server presented, DER; SHA-256 in place of MD5 and SHA-1
    /// signatures (RFC 5929 §4.1).
    pub tls_server_end_point: Option<Vec<u8>>,
}

impl ChannelBinding {
    /// No binding: a link without TLS of our own.
    pub const NONE: Self = Self {
        tls_exporter: None,
        tls_server_end_point: None,
    };

    /// The value of this type on this connection.
    pub fn value(&self, kind: ChannelBindingType) -> Option<&[u8]> {
        match kind {
            ChannelBindingType::TlsExporter => self.tls_exporter.as_ref().map(|value| &value[..]),
            ChannelBindingType::TlsServerEndPoint => self.tls_server_end_point.as_deref(),
        }
    }

    /// The types that have a value on this connection, strongest first.
    pub fn types(&self) -> impl Iterator<Item = ChannelBindingType> + '_ {
        ChannelBindingType::ALL
            .into_iter()
            .filter(|kind| self.value(*kind).is_some())
    }
}

impl fmt::Debug for ChannelBinding {
    /// Names the types only: the exporter's value is keying material.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types()).finish()
    }
}
