//! The addresses that follow from the options.

use std::net::{IpAddr, SocketAddr};

use super::public_url::{PublicUrl, host_of};
use super::{Config, Endpoint, Origins};

/// The path of BOSH; it is served without the last slash, too.
pub const BOSH_PATH: &str = "/http-bind/";

impl Config {
    /// The domain that pages and clients are given when they name none: the first one.
    pub fn domain(&self) -> &str {
        self.domains.first().map_or("localhost", String::as_str)
    }

    /// The option `public_url`, or else the URL of `listen.plain`, or else that of `listen.tls`.
    ///
    /// A server that listens on all addresses takes the name of its domain for them.
    pub fn public_url(&self) -> PublicUrl {
        match (&self.public_url, self.listen.plain, self.listen.tls) {
            (Some(url), _, _) => url.clone(),
            (None, Some(plain), _) => self.url_of(false, plain),
            (None, None, Some(tls)) => self.url_of(true, tls),
            (None, None, None) => PublicUrl::new(false, self.domain(), 80),
        }
    }

    /// The URL of `listen.tls`, where `public_url` leaves it to be found: without that option, and
    /// with `listen.plain` beside it.
    pub fn tls_url(&self) -> Option<PublicUrl> {
        let address = self.listen.tls?;
        let is_second = self.public_url.is_none() && self.listen.plain.is_some();
        is_second.then(|| self.url_of(true, address))
    }

    /// The URL under which a WebSocket path (it begins with "/") is reached from outside.
    pub fn public_ws_url(&self, path: &str) -> String {
        self.public_url().ws(path)
    }

    /// The URL under which BOSH is reached from outside.
    pub fn public_bosh_url(&self) -> String {
        self.public_url().http(BOSH_PATH)
    }

    /// The origins whose pages may open a stream at `endpoint`; none if all may.
    ///
    /// Without the option `public_url`, "same origin" is that of each address listened on, and the
    /// names of loopback count as one: they are one to whoever types them into a browser.
    pub fn allowed_origins(&self, endpoint: &Endpoint) -> Option<Vec<String>> {
        match &endpoint.origins {
            Origins::Any => None,
            Origins::List(origins) => Some(origins.clone()),
            Origins::SameOrigin => Some(self.own_origins()),
        }
    }

    fn own_origins(&self) -> Vec<String> {
        if let Some(url) = &self.public_url {
            return vec![url.origin()];
        }
        let plain = self.listen.plain.map(|address| (false, address));
        let tls = self.listen.tls.map(|address| (true, address));
        let listeners = [plain, tls].into_iter().flatten();
        listeners
            .flat_map(|(secure, address)| self.origins_of(secure, address))
            .collect()
    }

    fn origins_of(&self, secure: bool, address: SocketAddr) -> Vec<String> {
        let own = self.url_of(secure, address).origin();
        if !address.ip().is_loopback() && !address.ip().is_unspecified() {
            return vec![own];
        }
        let loopback = ["127.0.0.1", "[::1]", "localhost"];
        let mut origins: Vec<String> = loopback
            .map(|host| PublicUrl::new(secure, host, address.port()).origin())
            .into();
        if !origins.contains(&own) {
            origins.push(own);
        }
        origins
    }

    fn url_of(&self, secure: bool, address: SocketAddr) -> PublicUrl {
        let host = self.host_for(address.ip());
        PublicUrl::new(secure, &host, address.port())
    }

    fn host_for(&self, address: IpAddr) -> String {
        if address.is_unspecified() {
            self.domain().to_owned()
        } else {
            host_of(address)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_options_the_public_url_is_that_of_the_plain_port() {
        let config = Config::default();
        assert_eq!(config.public_url().to_string(), "http://127.0.0.1:5280");
        assert_eq!(config.public_ws_url("/ws/"), "ws://127.0.0.1:5280/ws/");
        assert_eq!(config.public_bosh_url(), "http://127.0.0.1:5280/http-bind/");
    }

    #[test]
    fn the_tls_port_beside_the_plain_one_has_a_url_of_its_own() {
        let mut config = Config::default();
        assert_eq!(config.tls_url(), None);
        config.listen.tls = Some(SocketAddr::from(([0, 0, 0, 0], 5281)));
        let url = config.tls_url().unwrap();
        assert_eq!(url.ws("/ws/"), "wss://localhost:5281/ws/");
        config.public_url = PublicUrl::parse("https://chat.example.org").ok();
        assert_eq!(config.tls_url(), None);
    }

    #[test]
    fn a_server_with_tls_alone_has_a_secure_public_url() {
        let mut config = Config::default();
        config.listen.plain = None;
        config.listen.tls = Some(SocketAddr::from(([0, 0, 0, 0], 5281)));
        assert_eq!(config.public_ws_url("/ws/"), "wss://localhost:5281/ws/");
    }

    #[test]
    fn the_public_url_decides_alone_about_the_own_origin() {
        let config = Config {
            public_url: Some(PublicUrl::new(true, "chat.example.org", 443)),
            ..Config::default()
        };
        let origins = config.allowed_origins(&Endpoint::default());
        assert_eq!(origins, Some(vec!["https://chat.example.org".to_owned()]));
    }

    #[test]
    fn on_loopback_every_name_of_loopback_is_the_own_origin() {
        let origins = Config::default()
            .allowed_origins(&Endpoint::default())
            .unwrap();
        let names = [
            "http://127.0.0.1:5280",
            "http://[::1]:5280",
            "http://localhost:5280",
        ];
        assert_eq!(origins, names);
    }

    #[test]
    fn an_endpoint_open_to_all_names_no_origins() {
        let endpoint = Endpoint {
            origins: Origins::Any,
            ..Endpoint::default()
        };
        assert_eq!(Config::default().allowed_origins(&endpoint), None);
    }
}
