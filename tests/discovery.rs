//! Discovery (XEP-0156, RFC 6415, XEP-0030), and what else is served to browsers.

mod kit;

use kit::xmpp::parse;
use kit::{Client, Handshake, Http, Response, TestServer, condition, tls};
use rustls::version::TLS13;
use stanzad::xml::Element;
use std::collections::HashSet;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";
const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const XBOSH: &str = "urn:xmpp:alt-connections:xbosh";

async fn get(server: &TestServer, path: &str) -> Response {
    Http::connect(server).await.get(path).await
}

/// The links of an XRD: relation and address.
fn xrd_links(response: &Response) -> Vec<(String, String)> {
    let xrd = parse(response.text());
    assert!(xrd.is("XRD", XRD), "{xrd}");
    let link = |link: &Element| {
        let attr = |name| link.attr(name).expect(name).to_owned();
        (attr("rel"), attr("href"))
    };
    xrd.children()
        .filter(|c| c.is("Link", XRD))
        .map(link)
        .collect()
}

/// Those of a JRD.
fn jrd_links(response: &Response) -> Vec<(String, String)> {
    let jrd: serde_json::Value = serde_json::from_str(response.text()).expect("JSON");
    let links = jrd["links"].as_array().expect("links").iter();
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    links.map(|l| (text(&l["rel"]), text(&l["href"]))).collect()
}

mod host_meta {
    use super::*;

    /// D-01, D-04
    #[tokio::test]
    async fn is_xrd_with_absolute_links_to_websocket_and_bosh() {
        let server = TestServer::start().await;
        let response = get(&server, "/.well-known/host-meta").await;
        assert_eq!(response.status, 200);
        let kind = response.header("content-type").expect("a type");
        assert!(kind.starts_with("application/xrd+xml"), "{kind}");
        let links = xrd_links(&response);
        let websocket = links
            .iter()
            .find(|(rel, _)| rel == WEBSOCKET)
            .expect("a link");
        assert!(websocket.1.starts_with("ws://") && websocket.1.ends_with("/ws/"));
        let bosh = links.iter().find(|(rel, _)| rel == XBOSH).expect("a link");
        assert!(bosh.1.starts_with("http://") && bosh.1.ends_with("/http-bind/"));
    }

    /// D-02
    #[tokio::test]
    async fn is_jrd_with_the_same_links() {
        let server = TestServer::start().await;
        let response = get(&server, "/.well-known/host-meta.json").await;
        assert_eq!(response.status, 200);
        let kind = response.header("content-type").expect("a type");
        assert!(kind.starts_with("application/json") || kind.starts_with("application/jrd+json"));
        let xrd = get(&server, "/.well-known/host-meta").await;
        assert_eq!(jrd_links(&response), xrd_links(&xrd));
    }

    /// D-03
    #[tokio::test]
    async fn may_be_read_by_every_page() {
        let server = TestServer::start().await;
        for path in [
            "/.well-known/host-meta",
            "/.well-known/host-meta.json",
            "/.well-known/x",
        ] {
            let response = get(&server, path).await;
            let allowed = response.header("access-control-allow-origin");
            assert_eq!(allowed.as_deref(), Some("*"), "{path}");
        }
    }

    /// D-04
    #[tokio::test]
    async fn names_no_bosh_where_there_is_none() {
        let server = TestServer::with(&["bosh.enabled=false"]).await;
        let links = xrd_links(&get(&server, "/.well-known/host-meta").await);
        assert!(links.iter().all(|(rel, _)| rel != XBOSH), "{links:?}");
        assert_eq!(get(&server, "/http-bind/").await.status, 404);
    }

    /// D-05
    #[tokio::test]
    async fn over_https_names_only_addresses_with_tls() {
        let server = TestServer::with(&[
            "listen.tls=127.0.0.1:0",
            "public_url=https://chat.example.org",
        ])
        .await;
        let mut link = tls::connect(&server, &TLS13).await;
        for path in ["/.well-known/host-meta", "/.well-known/host-meta.json"] {
            let response = link.http.get(path).await;
            let links = match path.ends_with("json") {
                true => jrd_links(&response),
                false => xrd_links(&response),
            };
            assert_eq!(links.len(), 2);
            for (_, href) in links {
                assert!(
                    href.starts_with("wss://chat.example.org/")
                        || href.starts_with("https://chat.example.org/"),
                    "{href}"
                );
            }
        }
    }

    /// D-05: a server that only has TLS and was told no address names its own.
    #[tokio::test]
    async fn without_a_public_url_the_port_with_tls_is_named_over_tls() {
        let server = TestServer::with(&["listen.plain=none", "listen.tls=127.0.0.1:0"]).await;
        let mut link = tls::connect(&server, &TLS13).await;
        let links = xrd_links(&link.http.get("/.well-known/host-meta").await);
        let port = server.tls().port();
        for (_, href) in links {
            assert!(
                href.starts_with("wss://") || href.starts_with("https://"),
                "{href}"
            );
            assert!(href.contains(&format!(":{port}/")), "{href}");
        }
    }
}

mod disco {
    use super::*;

    async fn ask(client: &mut Client, to: &str, ns: &str, node: &str) -> Element {
        let node = kit::xmpp::attribute("node", node);
        client
            .iq("get", to, &format!("<query xmlns='{ns}'{node}/>"))
            .await
    }

    /// D-06
    #[tokio::test]
    async fn the_domain_is_an_im_server_and_names_every_feature_once() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let info = ask(&mut romeo, "example.org", INFO, "").await;
        let query = info.child("query", INFO).expect("a query");
        let is_server = |c: &Element| {
            c.name() == "identity"
                && c.attr("category") == Some("server")
                && c.attr("type") == Some("im")
        };
        assert!(query.children().any(is_server), "{info}");
        let mut seen = HashSet::new();
        for feature in query.children().filter(|c| c.name() == "feature") {
            let var = feature.attr("var").expect("a var");
            assert!(seen.insert(var), "{var} twice");
        }
        for wanted in [INFO, ITEMS, "urn:xmpp:ping"] {
            assert!(seen.contains(wanted), "{seen:?}");
        }
    }

    /// What is announced is served.
    #[tokio::test]
    async fn no_feature_of_the_domain_is_a_promise_that_is_not_kept() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for (var, payload) in [
            ("urn:xmpp:ping", "<ping xmlns='urn:xmpp:ping'/>"),
            ("jabber:iq:version", "<query xmlns='jabber:iq:version'/>"),
            ("urn:xmpp:time", "<time xmlns='urn:xmpp:time'/>"),
        ] {
            let answer = romeo.iq("get", "example.org", payload).await;
            assert_eq!(answer.attr("type"), Some("result"), "{var}: {answer}");
        }
    }

    /// D-07
    #[tokio::test]
    async fn the_own_account_and_the_items_of_the_domain_answer() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for to in ["", "romeo@example.org"] {
            let info = ask(&mut romeo, to, INFO, "").await;
            let query = info.child("query", INFO).expect("a query");
            let mut identities = query.children().filter(|c| c.name() == "identity");
            assert!(
                identities.any(|c| c.attr("category") == Some("account")),
                "{info}"
            );
        }
        let items = ask(&mut romeo, "example.org", ITEMS, "").await;
        assert!(items.child("query", ITEMS).is_some(), "{items}");
        let items = ask(&mut romeo, "", ITEMS, "").await;
        assert!(items.child("query", ITEMS).is_some(), "{items}");
    }

    /// D-08: the same answer, whether the account is there, online, or nobody's.
    #[tokio::test]
    async fn a_stranger_learns_nothing_of_another_account() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let _online = Client::available_as(&server, "juliet", "balcony").await;
        for ns in [INFO, ITEMS] {
            for to in [
                "juliet@example.org",
                "tybalt@example.org",
                "nobody@example.org",
            ] {
                let answer = ask(&mut romeo, to, ns, "").await;
                assert_eq!(condition(&answer), "service-unavailable", "{to}");
            }
        }
    }

    /// D-09
    #[tokio::test]
    async fn an_unknown_node_is_not_found() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for to in ["example.org", ""] {
            for ns in [INFO, ITEMS] {
                let answer = ask(&mut romeo, to, ns, "no-such-node").await;
                assert_eq!(condition(&answer), "item-not-found", "{to} {ns}");
            }
        }
    }
}

mod pages {
    use super::*;

    /// D-10
    #[tokio::test]
    async fn a_plain_get_of_the_websocket_address_says_what_is_there() {
        let server = TestServer::start().await;
        for path in ["/ws/", "/ws"] {
            let response = get(&server, path).await;
            assert_eq!(response.status, 426, "{path}");
            assert!(response.text().contains("WebSocket"), "{}", response.text());
        }
        let elsewhere = Handshake::new().line("GET /nowhere/ HTTP/1.1");
        assert_eq!(elsewhere.status(&server).await, 404);
    }

    /// D-11
    #[tokio::test]
    async fn no_trick_with_the_path_leaves_what_is_served() {
        let files = tempfile::tempdir().expect("a directory");
        let secret = "the secret of this test";
        std::fs::write(files.path().join("secret.txt"), secret).expect("a file");
        let dist = files.path().join("client/dist");
        std::fs::create_dir_all(&dist).expect("a directory");
        std::fs::write(dist.join("converse.min.js"), "1").expect("a file");
        std::fs::write(dist.join("converse.min.css"), "1").expect("a file");
        std::os::unix::fs::symlink(files.path().join("secret.txt"), dist.join("link.txt"))
            .expect("a link");
        let option = format!("web.client_dir={}", files.path().join("client").display());
        let server = TestServer::with(&[&option]).await;
        for path in [
            "/client/../secret.txt",
            "/client/dist/../../secret.txt",
            "/client/%2e%2e/secret.txt",
            "/client/..%2fsecret.txt",
            "/client/%2e%2e%2f%2e%2e%2fsecret.txt",
            "/client/..\\secret.txt",
            "/client/%5c..%5csecret.txt",
            "/client//../../secret.txt",
            "/client/....//secret.txt",
            "/client/dist/link.txt",
            "/client/%00/../secret.txt",
            "/../../../../etc/passwd",
            "/client/../../../../../../etc/passwd",
            "//etc/passwd",
            "/.well-known/../client/../secret.txt",
        ] {
            let response = get(&server, path).await;
            let body = String::from_utf8_lossy(&response.body);
            assert!(!body.contains(secret), "{path}");
            assert!(!body.contains("root:"), "{path}");
            assert!(
                (300..500).contains(&response.status),
                "{path}: {}",
                response.status
            );
        }
        let served = get(&server, "/client/dist/converse.min.js").await;
        assert_eq!(served.status, 200, "what is there is served");
    }
}
