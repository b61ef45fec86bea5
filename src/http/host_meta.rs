//! Where this server is to be found: XEP-0156 over RFC 6415, as XML and as JSON.
//!
//! Clients that live on other hosts read it, so every answer, refusals too, carries
//! `Access-Control-Allow-Origin: *` (XEP-0156 §3).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use quick_xml::escape::escape;
use serde_json::json;

use crate::http::peer::Peer;

/// The URLs to announce.
///
/// Within each list the last is the best: Converse takes the last link of a kind.
/// Insecure ones (`ws:`, `http:`) are put before secure ones for that reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Absolute `ws:` or `wss:` URLs.
    pub websocket: Vec<String>,
    /// Absolute `http:` or `https:` URLs of BOSH; empty when BOSH is off.
    pub bosh: Vec<String>,
}

impl Endpoints {
    /// The paths below `public_url` (`http://…` or `https://…`, with or without a last slash):
    /// `wss:` when it is https, `ws:` when it is http.
    pub fn below(public_url: &str, websocket_paths: &[&str], bosh_paths: &[&str]) -> Self {
        let base = public_url.trim_end_matches('/');
        // http → ws, https → wss
        let websocket_base = match base.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => base.to_owned(),
        };
        Self {
            websocket: websocket_paths
                .iter()
                .map(|path| format!("{websocket_base}{path}"))
                .collect(),
            bosh: bosh_paths
                .iter()
                .map(|path| format!("{base}{path}"))
                .collect(),
        }
    }

    /// Adds those of another way in, such as the TLS port beside the plain one.
    pub fn and(mut self, other: Self) -> Self {
        self.websocket.extend(other.websocket);
        self.bosh.extend(other.bosh);
        self
    }

    fn links(&self) -> Vec<Link> {
        let websocket = self
            .websocket
            .iter()
            .map(|href| Link::new(RELATION_WEBSOCKET, href));
        let bosh = self.bosh.iter().map(|href| Link::new(RELATION_BOSH, href));
        let mut links: Vec<_> = bosh.chain(websocket).collect();
        links.sort_by_key(|link| link.secure); // stable: keeps the order within both
        links
    }
}

#[derive(Debug, Clone)]
struct Link {
    relation: &'static str,
    href: String,
    secure: bool,
}

impl Link {
    fn new(relation: &'static str, href: &str) -> Self {
        let secure = href.starts_with("wss:") || href.starts_with("https:");
        Self {
            relation,
            href: href.to_owned(),
            secure,
        }
    }
}

/// Both documents in both forms, written once.
struct Documents {
    all: Pair,
    /// What is told over https: only `wss:` and `https:` (XEP-0156 §2.2; D-05).
    secure: Pair,
}

struct Pair {
    xml: String,
    json: String,
}

impl Documents {
    fn new(endpoints: &Endpoints) -> Self {
        let links = endpoints.links();
        let secure: Vec<_> = links.iter().filter(|link| link.secure).cloned().collect();
        Self {
            all: Pair::new(&links),
            secure: Pair::new(&secure),
        }
    }

    fn for_request(&self, over_https: bool) -> &Pair {
        if over_https { &self.secure } else { &self.all }
    }
}

impl Pair {
    fn new(links: &[Link]) -> Self {
        Self {
            xml: xrd(links),
            json: jrd(links),
        }
    }
}

/// RFC 6415 §3.1.1
fn xrd(links: &[Link]) -> String {
    let mut xml = String::from("<?xml version='1.0' encoding='utf-8'?>\n");
    xml.push_str("<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n");
    for Link { relation, href, .. } in links {
        xml.push_str(&format!(
            "  <Link rel='{relation}' href='{}'/>\n",
            escape(href.as_str())
        ));
    }
    xml.push_str("</XRD>\n");
    xml
}

/// RFC 6415 §A
fn jrd(links: &[Link]) -> String {
    let links: Vec<_> = links
        .iter()
        .map(|link| json!({ "rel": link.relation, "href": link.href }))
        .collect();
    json!({ "links": links }).to_string()
}

/// `/.well-known/host-meta` and `/.well-known/host-meta.json`.
pub fn router(endpoints: &Endpoints) -> Router {
    Router::new()
        .route("/.well-known/host-meta", any(host_meta))
        .route("/.well-known/host-meta.json", any(host_meta_json))
        .with_state(Arc::new(Documents::new(endpoints)))
}

type Caller = Option<Extension<Peer>>;

async fn host_meta(
    State(documents): State<Arc<Documents>>,
    peer: Caller,
    request: Request,
) -> Response {
    let wants_json = accepts_only_json(request.headers());
    let pair = documents.for_request(is_over_https(&peer));
    match wants_json {
        true => answer(request.method(), JSON, &pair.json),
        false => answer(request.method(), XRD, &pair.xml),
    }
}

async fn host_meta_json(
    State(documents): State<Arc<Documents>>,
    peer: Caller,
    request: Request,
) -> Response {
    answer(
        request.method(),
        JSON,
        &documents.for_request(is_over_https(&peer)).json,
    )
}

fn is_over_https(peer: &Caller) -> bool {
    peer.as_ref().is_some_and(|Extension(peer)| peer.secure)
}

/// RFC 6415 §3: the XML document may be asked for as JSON.
fn accepts_only_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "application/json")
}

fn answer(method: &Method, content_type: &'static str, document: &str) -> Response {
    let mut response = match *method {
        Method::GET | Method::HEAD => {
            let headers = [
                (header::CONTENT_TYPE, content_type),
                (header::VARY, "Accept"),
            ];
            (headers, Body::from(document.to_owned())).into_response()
        }
        Method::OPTIONS => preflight(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, METHODS)]).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

const RELATION_WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const RELATION_BOSH: &str = "urn:xmpp:alt-connections:xbosh";
const XRD: &str = "application/xrd+xml";
const JSON: &str = "application/json";
const METHODS: &str = "GET, HEAD, OPTIONS";

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tower_service::Service;

    fn both_ports() -> Endpoints {
        let tls = Endpoints::below("https://chat.example.org/", &["/ws/"], &["/http-bind/"]);
        tls.and(Endpoints::below(
            "http://chat.example.org:5280",
            &["/ws/"],
            &["/http-bind/"],
        ))
    }

    async fn ask(method: Method, path: &str, secure: bool) -> (StatusCode, HeaderMap, String) {
        let mut peer = Peer::direct("192.0.2.1:1".parse().unwrap());
        peer.secure = secure;
        let request = Request::builder().method(method).uri(path).extension(peer);
        let request = request.body(Body::empty()).unwrap();
        let response = router(&both_ports()).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    fn hrefs(xml: &str) -> Vec<&str> {
        xml.split("href='")
            .skip(1)
            .map(|rest| rest.split('\'').next().unwrap())
            .collect()
    }

    /// D-01, D-04
    #[tokio::test]
    async fn host_meta_is_xrd_whose_last_link_of_each_kind_is_the_best() {
        let (status, headers, xml) = ask(Method::GET, "/.well-known/host-meta", false).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (StatusCode::OK, &HeaderValue::from_static(XRD))
        );
        assert_eq!(
            hrefs(&xml),
            [
                "http://chat.example.org:5280/http-bind/",
                "ws://chat.example.org:5280/ws/",
                "https://chat.example.org/http-bind/",
                "wss://chat.example.org/ws/",
            ]
        );
        assert!(xml.contains("rel='urn:xmpp:alt-connections:websocket' href='wss:"));
        assert!(xml.contains("rel='urn:xmpp:alt-connections:xbosh' href='https:"));
    }

    /// D-02
    #[tokio::test]
    async fn json_has_the_same_links_as_xml() {
        for secure in [false, true] {
            let (_, _, xml) = ask(Method::GET, "/.well-known/host-meta", secure).await;
            let (_, headers, text) = ask(Method::GET, "/.well-known/host-meta.json", secure).await;
            assert_eq!(headers["content-type"], JSON);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let links = value["links"].as_array().unwrap().iter();
            let from_json: Vec<_> = links.map(|link| link["href"].as_str().unwrap()).collect();
            assert_eq!(from_json, hrefs(&xml));
        }
    }

    /// D-05
    #[tokio::test]
    async fn over_https_only_secure_links_are_told() {
        let (_, _, xml) = ask(Method::GET, "/.well-known/host-meta", true).await;
        assert_eq!(
            hrefs(&xml),
            [
                "https://chat.example.org/http-bind/",
                "wss://chat.example.org/ws/"
            ]
        );
    }

    /// D-03
    #[tokio::test]
    async fn every_answer_may_be_read_by_pages_of_other_hosts() {
        for path in ["/.well-known/host-meta", "/.well-known/host-meta.json"] {
            for (method, expected) in [
                (Method::GET, StatusCode::OK),
                (Method::HEAD, StatusCode::OK),
                (Method::OPTIONS, StatusCode::NO_CONTENT),
                (Method::POST, StatusCode::METHOD_NOT_ALLOWED),
            ] {
                let (status, headers, _) = ask(method, path, false).await;
                assert_eq!(status, expected);
                assert_eq!(headers["access-control-allow-origin"], "*");
            }
        }
    }

    #[test]
    fn what_is_special_in_xml_is_escaped_in_urls() {
        let endpoints = Endpoints {
            websocket: vec!["wss://x/?a='1'&b=<".into()],
            bosh: vec![],
        };
        let xml = xrd(&endpoints.links());
        assert!(
            xml.contains("href='wss://x/?a=&apos;1&apos;&amp;b=&lt;'"),
            "{xml}"
        );
        quick_xml_reads(&xml);
    }

    fn quick_xml_reads(xml: &str) {
        let mut reader = quick_xml::Reader::from_str(xml);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }
}
