use axum::body::Body;
use http_body_util::BodyExt;
use tower_service::Service;

use super::*;

fn demo(_: &Parts) -> Console {
    Console {
        domain: "localhost".into(),
        ws: "/ws/".into(),
        bosh: Some("/http-bind/".into()),
        accounts: vec![DemoAccount {
            jid: "ada@localhost".into(),
            password: "secret".into(),
        }],
        version: "1.2.3".into(),
    }
}

async fn get(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router::<_, ()>(demo).call(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (
        head.status,
        head.headers,
        String::from_utf8(bytes.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn page_is_html_that_no_foreign_script_or_frame_can_touch() {
    let (status, headers, body) = get("/", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(
        policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(body.starts_with("<!doctype html>"));
}

#[tokio::test]
async fn every_file_that_the_page_names_is_served_with_its_type() {
    let named = |text: &str, before: &str| -> Vec<String> {
        let parts = text.split(before).skip(1);
        parts
            .map(|rest| rest.split(['"', '\'']).next().unwrap().to_owned())
            .collect()
    };
    let mut names = named(INDEX.text, "\"/console/");
    for file in FILES.iter().filter(|file| file.name.ends_with(".js")) {
        names.extend(named(file.text, "from './"));
    }
    assert!(names.len() > FILES.len(), "the page names {names:?}");
    for name in names {
        let (status, headers, _) = get(&format!("/console/{name}"), &[]).await;
        assert_eq!(status, StatusCode::OK, "{name}");
        assert!(
            !headers[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .contains("html"),
            "{name}"
        );
    }
}

#[test]
fn page_has_no_inline_script_no_inline_style_and_no_foreign_address() {
    assert!(!INDEX.text.contains(" style=") && !INDEX.text.contains("<style"));
    assert!(!INDEX.text.contains("http://") && !INDEX.text.contains("https://"));
    assert!(
        INDEX.text.matches("<script").count()
            == INDEX.text.matches("<script type=\"module\" src=").count()
    );
}

#[test]
fn hostile_text_has_no_way_into_the_document_as_markup() {
    let doors = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "srcdoc",
    ];
    for file in FILES.iter().filter(|file| file.name.ends_with(".js")) {
        for door in doors {
            assert!(!file.text.contains(door), "{} uses {door}", file.name);
        }
    }
}

#[tokio::test]
async fn file_that_the_browser_has_is_not_sent_again() {
    let (_, headers, _) = get("/console/console.js", &[]).await;
    let etag = headers[header::ETAG].to_str().unwrap().to_owned();
    for known in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"other\", {etag}"),
        "*".to_owned(),
    ] {
        let (status, headers, body) =
            get("/console/console.js", &[("if-none-match", &known)]).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::NOT_MODIFIED, ""),
            "{known}"
        );
        assert_eq!(headers[header::ETAG].to_str().unwrap(), etag);
    }
    let (status, ..) = get("/console/console.js", &[("if-none-match", "\"other\"")]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn file_that_is_not_ours_is_not_found() {
    for path in [
        "/console/",
        "/console/mod.rs",
        "/console/..%2Fmod.rs",
        "/console/index.html",
    ] {
        assert_eq!(get(path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn console_json_tells_a_visitor_on_loopback_everything() {
    let (status, headers, body) = get("/console.json", &[("host", "127.0.0.1:5280")]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let expected = concat!(
        r#"{"domain":"localhost","ws":"/ws/","bosh":"/http-bind/","#,
        r#""accounts":[{"jid":"ada@localhost","password":"secret"}],"version":"1.2.3"}"#,
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn rebound_name_or_proxy_on_loopback_gets_no_password() {
    let loopback = ("host", "localhost:5280");
    let strangers: [&[(&str, &str)]; 7] = [
        &[],
        &[("host", "evil.example:5280")],
        &[("host", "localhost.evil.example")],
        &[("host", "127.0.0.1.evil.example")],
        &[loopback, ("x-forwarded-for", "203.0.113.9")],
        &[loopback, ("forwarded", "for=203.0.113.9")],
        &[loopback, ("via", "1.1 proxy")],
    ];
    for headers in strangers {
        let (_, _, body) = get("/console.json", headers).await;
        assert!(
            body.contains(r#""accounts":[]"#) && !body.contains("secret"),
            "{headers:?}"
        );
    }
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1:5280",
        "127.1.2.3",
        "[::1]:5280",
        "[::1]",
    ] {
        let (_, _, body) = get("/console.json", &[("host", host)]).await;
        assert!(body.contains("secret"), "{host}");
    }
}

#[test]
fn password_of_a_demo_account_stays_out_of_debug_output() {
    let account = DemoAccount {
        jid: "ada@localhost".into(),
        password: "secret".into(),
    };
    assert_eq!(
        format!("{account:?}"),
        r#"DemoAccount { jid: "ada@localhost", .. }"#
    );
}
