use std::fs;

use axum::http::HeaderValue;
use http_body_util::BodyExt;
use tempfile::TempDir;
use tower_service::Service;

use super::*;

fn settings() -> ClientSettings {
    ClientSettings {
        domain: "example.org".to_owned(),
        is_only_domain: true,
        websocket_path: "/ws/".to_owned(),
        bosh_path: Some("/http-bind/".to_owned()),
        registration: false,
    }
}

/// The layout of the npm package, in small.
fn converse_package() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("dist")).unwrap();
    fs::write(dir.path().join("dist/converse.min.js"), "let converse;").unwrap();
    fs::write(dir.path().join("dist/converse.min.css"), "body {}").unwrap();
    fs::write(dir.path().join("dist/empty.txt"), "").unwrap();
    dir
}

fn router(dir: &TempDir) -> Router {
    ClientFiles::open(dir.path(), &settings()).unwrap().router()
}

async fn ask(app: &Router, request: Request) -> (StatusCode, HeaderMap, Vec<u8>) {
    let (parts, body) = app.clone().call(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (parts.status, parts.headers, body)
}

async fn get_path(app: &Router, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    ask(app, Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn file_comes_whole_with_its_type_and_its_length() {
    let dir = converse_package();
    let big: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    fs::write(dir.path().join("dist/big.wasm"), &big).unwrap();
    let app = router(&dir);
    for (path, content_type, content) in [
        (
            "/client/dist/converse.min.js",
            "text/javascript; charset=utf-8",
            b"let converse;".as_slice(),
        ),
        ("/client/dist/big.wasm", "application/wasm", &big),
        ("/client/dist/empty.txt", "text/plain; charset=utf-8", b""),
    ] {
        let (status, headers, body) = get_path(&app, path).await;
        assert_eq!(
            (status, body.as_slice()),
            (StatusCode::OK, content),
            "{path}"
        );
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["content-length"], content.len().to_string());
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn file_that_the_browser_knows_is_not_sent_again_until_it_changes() {
    let dir = converse_package();
    let app = router(&dir);
    let path = "/client/dist/converse.min.js";
    let (_, headers, _) = get_path(&app, path).await;
    let again = |etag: &HeaderValue| {
        Request::get(path)
            .header("if-none-match", etag)
            .body(Body::empty())
            .unwrap()
    };
    let (status, _, body) = ask(&app, again(&headers["etag"])).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    fs::write(dir.path().join("dist/converse.min.js"), "let converse = 2;").unwrap();
    assert_eq!(ask(&app, again(&headers["etag"])).await.0, StatusCode::OK);
}

/// D-11
#[tokio::test]
async fn no_path_trick_leaves_the_directory() {
    let outer = TempDir::new().unwrap();
    fs::write(outer.path().join("secret"), "secret").unwrap();
    let root = outer.path().join("client");
    fs::create_dir_all(root.join("dist")).unwrap();
    fs::write(root.join("dist/converse.min.js"), "").unwrap();
    fs::write(root.join(".env"), "secret").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outer.path(), root.join("up")).unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), root.join("leak")).unwrap();
    }
    let app = ClientFiles::open(&root, &settings()).unwrap().router();
    for path in [
        "/client/../secret",
        "/client/%2e%2e/secret",
        "/client/..%2fsecret",
        "/client/dist/..%5c..%5csecret",
        "/client/up/secret",
        "/client/leak",
        "/client/.env",
        "/client/%2eenv",
        "/client/dist",
        "/client/dist/",
        "/client//etc/passwd",
        "/client/nothing",
        "/client/dist/converse.min.js/x",
        "/client/%00",
        "/client/%ff",
    ] {
        let (status, _, body) = get_path(&app, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(!body.windows(6).any(|window| window == b"secret"), "{path}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn link_inside_the_directory_is_followed() {
    let dir = converse_package();
    std::os::unix::fs::symlink("converse.min.js", dir.path().join("dist/latest.js")).unwrap();
    assert_eq!(
        get_path(&router(&dir), "/client/dist/latest.js").await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn page_starts_converse_with_everything_that_it_must_know() {
    let dir = converse_package();
    let app = router(&dir);
    let (_, headers, page) = get_path(&app, "/client/").await;
    let page = String::from_utf8(page).unwrap();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert!(headers.contains_key("content-security-policy"));
    assert!(page.contains(r#"src="dist/converse.min.js""#) && page.contains("stanzad-start.js"));
    assert!(
        !page.contains("://"),
        "the page loads from elsewhere: {page}"
    );
    let (_, _, script) = get_path(&app, "/client/stanzad-start.js").await;
    let script = String::from_utf8(script).unwrap();
    for setting in [
        r#""default_domain":"example.org""#,
        r#""assets_path":"dist/""#,
        r#""websocket_url":"/ws/""#,
        r#""bosh_service_url":"/http-bind/""#,
        r#""allow_registration":false"#,
        r#""view_mode":"fullscreen""#,
    ] {
        assert!(script.contains(setting), "{setting} is not in {script}");
    }
}

#[test]
fn client_directory_may_be_the_package_its_dist_or_the_place_of_the_install() {
    for layout in ["dist", ".", "node_modules/converse.js/dist"] {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join(layout)).unwrap();
        fs::write(dir.path().join(layout).join("converse.min.js"), "").unwrap();
        let files = ClientFiles::open(dir.path(), &settings()).unwrap();
        assert!(matches!(files.start, Start::Converse { .. }), "{layout}");
    }
}

#[tokio::test]
async fn other_client_brings_its_own_page() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("index.html"), "<p>mine").unwrap();
    let app = router(&dir);
    assert_eq!(get_path(&app, "/client/").await.2, b"<p>mine");
    assert_eq!(
        get_path(&app, "/client").await.0,
        StatusCode::PERMANENT_REDIRECT
    );
}

#[test]
fn directory_without_a_client_is_an_error_that_says_what_was_looked_for() {
    let dir = TempDir::new().unwrap();
    let error = ClientFiles::open(dir.path(), &settings()).unwrap_err();
    assert!(
        error.to_string().contains("dist/converse.min.js"),
        "{error}"
    );
    let gone = ClientFiles::open(&dir.path().join("gone"), &settings()).unwrap_err();
    assert!(matches!(gone, FilesError::Directory { .. }));
}

#[tokio::test]
async fn only_get_and_head_are_served() {
    let dir = converse_package();
    let app = router(&dir);
    for (method, expected) in [
        (Method::HEAD, StatusCode::OK),
        (Method::POST, StatusCode::METHOD_NOT_ALLOWED),
        (Method::DELETE, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let request = Request::builder()
            .method(method)
            .uri("/client/dist/converse.min.css");
        assert_eq!(
            ask(&app, request.body(Body::empty()).unwrap()).await.0,
            expected
        );
    }
}
