//! Who may use the admin port.

use crate::api::{Api, address, server, with};
use crate::kit::{Http, TestServer};
use stanzad::config::Config;
use stanzad::server::{Server, StartError};

const TOKEN: &str = "correct-horse-battery-staple";

/// A server that asks for [`TOKEN`]; the directory holds the file.
async fn with_token() -> (TestServer, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let server = with(&[&format!("admin.token_file={}", file.display())]).await;
    (server, dir)
}

#[tokio::test]
async fn without_a_token_pages_of_elsewhere_get_nothing() {
    let server = server().await;
    let api = Api::of(&server).await;
    let port = address(&server.server).port();
    let own = format!("Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n");
    for headers in ["", &own, "Host: localhost\r\n", "Sec-Fetch-Site: none\r\n"] {
        api.raw("GET", "/v1/sessions", headers, "").await.is(200);
    }
    let elsewhere = [
        "Origin: https://evil.example\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Host: rebound.example\r\n",
        "X-Forwarded-For: 192.0.2.1\r\n",
    ];
    for headers in elsewhere {
        for (method, path) in [("GET", "/v1/sessions"), ("DELETE", "/v1/sessions?all=true")] {
            let answer = api.raw(method, path, headers, "").await;
            answer.is_problem(403, "without admin.token_file");
            let shared = answer.response.header("access-control-allow-origin");
            assert_eq!(shared, None, "{headers}");
        }
    }
    // What a page may ask before it asks is not granted.
    let asks = "Origin: https://evil.example\r\nAccess-Control-Request-Method: DELETE\r\n";
    let answer = api.raw("OPTIONS", "/v1/sessions", asks, "").await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn with_a_token_it_is_asked_for_everywhere_below_v1() {
    let (server, _dir) = with_token().await;
    let address = address(&server.server);
    let api = Api::at(address, Some(TOKEN)).await;
    api.get("/v1/sessions").await.is(200);
    // Whoever has it may come through a proxy.
    let proxied = "Host: ops.example.org\r\nX-Forwarded-For: 192.0.2.1\r\nOrigin: https://ops.example.org\r\n";
    api.raw("GET", "/v1/sessions", proxied, "").await.is(200);
    let get = async |path: &str, headers: &str| {
        let mut http = Http::to(address).await;
        http.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"))
            .await;
        http.response().await
    };
    for path in [
        "/v1/sessions",
        "/v1/openapi.json",
        "/metrics",
        "/v1/groups/x",
    ] {
        let response = get(path, "").await;
        assert_eq!(response.status, 401, "{path}");
        let challenge = response.header("www-authenticate");
        assert_eq!(challenge.as_deref(), Some("Bearer realm=\"stanzad\""));
    }
    for (headers, error) in [
        (
            "Authorization: Bearer wrong-horse-battery-staple\r\n",
            "invalid_token",
        ),
        ("Authorization: Bearer\r\n", "invalid_request"),
        ("Authorization: Basic Y29ycmVjdA==\r\n", "realm"),
    ] {
        let response = get("/v1/sessions", headers).await;
        assert_eq!(response.status, 401, "{headers}");
        let challenge = response.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains(error),
            "{challenge}"
        );
        assert!(!response.text().contains(TOKEN));
    }
}

#[tokio::test]
async fn health_is_told_to_everybody_and_the_page_has_no_secret() {
    let (server, _dir) = with_token().await;
    let mut http = Http::to(address(&server.server)).await;
    assert_eq!(http.get("/healthz").await.text(), "alive\n");
    assert_eq!(http.get("/readyz").await.text(), "ready\n");
    let page = http.get("/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(http.get("/dashboard/dashboard.js").await.status, 200);
    assert_eq!(http.get("/dashboard/mod.rs").await.status, 404);
}

#[tokio::test]
async fn a_page_that_is_not_wanted_is_not_there() {
    let server = with(&["admin.dashboard=false"]).await;
    let api = Api::of(&server).await;
    for path in ["/", "/dashboard/dashboard.js"] {
        api.raw("GET", path, "", "").await.is_problem(404, "");
    }
    api.get("/v1/sessions").await.is(200);
}

async fn refused(config: Config) -> StartError {
    match Server::start(config, false).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_server_without_the_token_that_it_is_to_ask_for_does_not_start() {
    let state = tempfile::tempdir().expect("a directory");
    let mut config = Config {
        state_dir: state.path().into(),
        ..Config::default()
    };
    config.listen.plain = Some("127.0.0.1:0".parse().expect("an address"));
    config.listen.admin = config.listen.plain;
    config.admin.token_file = Some(state.path().join("nowhere"));
    let error = refused(config.clone()).await;
    assert!(error.to_string().contains("admin.token_file"), "{error}");
    let short = state.path().join("short");
    std::fs::write(&short, "12345\n").expect("a file");
    config.admin.token_file = Some(short);
    let error = refused(config.clone()).await;
    assert!(error.to_string().contains("16 to 1024"), "{error}");
    config.admin.token_file = None;
    config.listen.admin = Some("0.0.0.0:0".parse().expect("an address"));
    config.listen.admin_public = true;
    let error = refused(config).await;
    assert!(error.to_string().contains("admin.token_file"), "{error}");
}
