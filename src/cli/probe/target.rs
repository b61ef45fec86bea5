//! What is probed.

use tokio_tungstenite::tungstenite::http::Uri;

use crate::cli::{Failure, ProbeArgs};
use crate::config::Config;

/// A WebSocket URL, taken apart, and the domain to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub url: Uri,
    pub secure: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    pub domain: String,
}

impl Target {
    /// The domain is that of the arguments; or that of the configuration, if a file names it or if
    /// the host is no name that could be a domain; or else the host of the URL.
    pub fn of(config: &Config, from_file: bool, args: &ProbeArgs) -> Result<Self, Failure> {
        let own = || {
            let path = config
                .endpoints
                .first()
                .map_or("/ws/", |endpoint| endpoint.path.as_str());
            config.public_ws_url(path)
        };
        let text = args.url.clone().unwrap_or_else(own);
        let refuse = |why: &str| Failure::Usage(format!("{text:?} {why}"));
        let url: Uri = text.parse().map_err(|_| refuse("is not a URL"))?;
        let secure = match url.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            Some("https") => return Err(refuse("is not a WebSocket URL; write wss://")),
            Some("http") => return Err(refuse("is not a WebSocket URL; write ws://")),
            _ => {
                return Err(refuse(
                    "is not a WebSocket URL, such as wss://chat.example.org/ws/",
                ));
            }
        };
        let host = url
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| refuse("names no host"))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let configured =
            from_file || args.url.is_none() || host.parse::<std::net::IpAddr>().is_ok();
        let guessed = if configured {
            config.domain()
        } else {
            host.as_str()
        };
        let domain = args.domain.clone().unwrap_or_else(|| guessed.to_owned());
        Ok(Self {
            secure,
            port,
            domain,
            host,
            url,
        })
    }
}
