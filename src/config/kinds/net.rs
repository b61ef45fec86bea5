//! Addresses, networks, URLs and origins.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{Given, Kind, Raw, quoted, quoted_list};
use crate::config::public_url::PublicUrl;
use crate::config::types::Origins;

/// Where to listen.
pub(crate) fn address() -> Address {
    Address
}

pub(crate) struct Address;

impl Kind for Address {
    type Value = SocketAddr;

    fn type_name(&self) -> String {
        "address".into()
    }

    fn allowed(&self) -> String {
        "IP address and port, as \"127.0.0.1:5280\" or \"[::]:5280\"".into()
    }

    fn read(&self, given: Given<'_>) -> Result<SocketAddr, String> {
        let text = given.raw.text().unwrap_or_default();
        text.parse()
            .map_err(|_| "is not an IP address with a port".into())
    }

    fn write(&self, value: &SocketAddr) -> Option<String> {
        Some(quoted(&value.to_string()))
    }
}

/// Networks, each in CIDR form or a single address.
pub(crate) fn networks() -> Networks {
    Networks
}

pub(crate) struct Networks;

impl Kind for Networks {
    type Value = Vec<IpNet>;

    fn type_name(&self) -> String {
        "list of networks".into()
    }

    fn allowed(&self) -> String {
        "addresses and CIDR networks, as [\"127.0.0.0/8\", \"::1\"]".into()
    }

    fn read(&self, given: Given<'_>) -> Result<Vec<IpNet>, String> {
        let texts = given.raw.texts().ok_or("is not a list of networks")?;
        texts.into_iter().map(read_network).collect()
    }

    fn write(&self, value: &Vec<IpNet>) -> Option<String> {
        Some(quoted_list(value.iter().map(IpNet::to_string)))
    }

    fn example(&self) -> Option<String> {
        Some(quoted_list(["127.0.0.0/8", "::1"]))
    }
}

fn read_network(text: &str) -> Result<IpNet, String> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let network = single.or_else(|_| text.parse::<IpNet>());
    let network = network.map_err(|_| format!("has {text:?}, which is not a network"))?;
    Ok(network.trunc())
}

/// The URL of a WebSocket endpoint.
pub(crate) fn websocket_url() -> WebSocketUrl {
    WebSocketUrl
}

pub(crate) struct WebSocketUrl;

impl Kind for WebSocketUrl {
    type Value = String;

    fn type_name(&self) -> String {
        "URL".into()
    }

    fn allowed(&self) -> String {
        "wss:// or ws://, a host, and if need be a port and a path".into()
    }

    fn read(&self, given: Given<'_>) -> Result<String, String> {
        let text = given.raw.text().unwrap_or_default();
        let rest = text
            .strip_prefix("wss://")
            .or_else(|| text.strip_prefix("ws://"))
            .ok_or("has no wss:// or ws:// in front")?;
        // The rest obeys the rules of any other URL with a host.
        PublicUrl::parse(&format!("https://{}", rest.trim_end_matches('/')))?;
        Ok(text.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }
}

/// The URL under which browsers reach the server.
pub(crate) fn public_url() -> Public {
    Public
}

pub(crate) struct Public;

impl Kind for Public {
    type Value = PublicUrl;

    fn type_name(&self) -> String {
        "URL".into()
    }

    fn allowed(&self) -> String {
        "https:// or http://, a host, and if need be a port and a path".into()
    }

    fn read(&self, given: Given<'_>) -> Result<PublicUrl, String> {
        PublicUrl::parse(given.raw.text().unwrap_or_default())
    }

    fn write(&self, value: &PublicUrl) -> Option<String> {
        Some(quoted(&value.to_string()))
    }
}

/// The URL of something to fetch or to ask.
pub(crate) fn http_url() -> HttpUrl {
    HttpUrl
}

pub(crate) struct HttpUrl;

/// Of a URL.
const URL_MAX_BYTES: usize = 2048;

impl Kind for HttpUrl {
    type Value = String;

    fn type_name(&self) -> String {
        "URL".into()
    }

    fn allowed(&self) -> String {
        "https:// or http://, a host, and if need be a port, a path and a query".into()
    }

    fn read(&self, given: Given<'_>) -> Result<String, String> {
        let text = given.raw.text().unwrap_or_default();
        let start = text.find("://").map_or(0, |at| at + "://".len());
        let end = text[start..].find(['/', '?', '#']);
        let (site, rest) = text.split_at(end.map_or(text.len(), |end| start + end));
        PublicUrl::parse(site)?;
        if text.len() > URL_MAX_BYTES {
            return Err("is too long".into());
        }
        if rest.contains('#') || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has a fragment, a space or what has to be escaped".into());
        }
        Ok(text.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }
}

/// Which pages may open a stream.
pub(crate) fn origins() -> AllowedOrigins {
    AllowedOrigins
}

pub(crate) struct AllowedOrigins;

const SAME_ORIGIN: &str = "same-origin";
const ANY: &str = "*";

impl Kind for AllowedOrigins {
    type Value = Origins;

    fn type_name(&self) -> String {
        "list of origins".into()
    }

    fn allowed(&self) -> String {
        "\"same-origin\", \"*\", or origins as [\"https://app.example.org\"]".into()
    }

    fn read(&self, given: Given<'_>) -> Result<Origins, String> {
        match given.raw {
            Raw::Text(word) | Raw::Word(word) if word == SAME_ORIGIN => Ok(Origins::SameOrigin),
            raw => read_origins(&raw.texts().ok_or("is not a list of origins")?),
        }
    }

    fn write(&self, value: &Origins) -> Option<String> {
        Some(match value {
            Origins::SameOrigin => quoted(SAME_ORIGIN),
            Origins::Any => quoted(ANY),
            Origins::List(origins) => quoted_list(origins),
        })
    }
}

fn read_origins(texts: &[&str]) -> Result<Origins, String> {
    if texts == [ANY] {
        return Ok(Origins::Any);
    }
    texts
        .iter()
        .map(|text| read_origin(text))
        .collect::<Result<_, _>>()
        .map(Origins::List)
}

fn read_origin(text: &str) -> Result<String, String> {
    let url = PublicUrl::parse(text).map_err(|why| format!("has {text:?}, which {why}"))?;
    if url.to_string() == url.origin() {
        Ok(url.origin())
    } else {
        Err(format!(
            "has {text:?}, which has more than scheme, host and port"
        ))
    }
}
