//! O1: what the web application is asked, and what becomes of its answer.

use super::*;
use crate::http::fetch::tests::{TinyServer, Told, fetcher};
use axum::http::HeaderValue;

fn options(server: &TinyServer) -> AskOptions {
    AskOptions {
        url: server.url("/internal/ws-admit"),
        cookies: vec!["JSESSIONID".to_owned()],
        headers: vec!["User-Agent".to_owned(), "X-Tag".to_owned()],
        patience: Duration::from_millis(200),
    }
}

fn request() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: &'static str, value: &'static str| {
        headers.append(name, HeaderValue::from_static(value));
    };
    add("cookie", "other=secret; JSESSIONID=abc");
    add("user-agent", "a browser");
    add("x-tag", "1");
    add("x-tag", "2");
    add("authorization", "Basic c2VjcmV0");
    headers
}

async fn ask(server: &TinyServer) -> Result<Admission, StatusCode> {
    let headers = request();
    let question = Question {
        endpoint: "push",
        path: "/ws/push",
        query: "session=7",
        address: "192.0.2.7".parse().unwrap(),
        headers: &headers,
    };
    SessionAsk::new(options(server), fetcher())
        .ask(question)
        .await
}

async fn answered(status: &'static str, body: &'static str) -> Result<Admission, StatusCode> {
    let answer = move |_: &str| -> Told {
        Some((status, "location: http://127.0.0.1:1/\r\n", body.to_owned()))
    };
    ask(&TinyServer::start(answer).await).await
}

#[tokio::test]
async fn o1_the_application_hears_what_is_listed_and_decides() {
    let answer = r#"{"jid":"a@example.org","login":"L1","tier":"gold","data":{"k":"v"}}"#;
    let server = TinyServer::start(move |_| Some(("200 OK", "", answer.to_owned()))).await;
    let admission = ask(&server).await.unwrap();
    assert_eq!(admission, serde_json::from_str(answer).unwrap());
    let asked = server.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /internal/ws-admit "), "{head}");
    let expected = serde_json::json!({
        "endpoint": "push", "path": "/ws/push", "query": "session=7", "address": "192.0.2.7",
        "cookies": {"JSESSIONID": "abc"},
        "headers": {"user-agent": "a browser", "x-tag": "1, 2"},
    });
    let found: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn o1_an_empty_admission_lets_anybody_in() {
    assert_eq!(
        answered("201 Created", "{}").await,
        Ok(Admission::default())
    );
}

#[tokio::test]
async fn o1_401_and_403_are_passed_on_and_everything_else_is_503() {
    for (status, expected) in [
        ("401 Unauthorized", 401),
        ("403 Forbidden", 403),
        ("400 Bad Request", 503),
        ("404 Not Found", 503),
        ("302 Found", 503),
        ("500 Internal Server Error", 503),
    ] {
        let refused = answered(status, "{}").await.unwrap_err();
        assert_eq!(refused.as_u16(), expected, "{status}");
    }
    for body in [
        "",
        "yes",
        "[]",
        r#"{"jid":"a@b/c"}"#,
        r#"{"expires":"soon"}"#,
    ] {
        let refused = answered("200 OK", body).await.unwrap_err();
        assert_eq!(refused.as_u16(), 503, "{body}");
    }
}

#[tokio::test]
async fn o1_an_application_that_is_silent_gone_or_talks_too_much_is_503() {
    let silent = TinyServer::start(|_| None).await;
    assert_eq!(ask(&silent).await.unwrap_err().as_u16(), 503);
    let talkative = TinyServer::start(|_| {
        Some((
            "200 OK",
            "",
            format!("{{\"login\":\"{}\"}}", "x".repeat(2000)),
        ))
    });
    assert_eq!(ask(&talkative.await).await.unwrap_err().as_u16(), 503);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = AskOptions {
        url: format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
        ..options(&silent)
    };
    drop(listener);
    let headers = request();
    let question = Question {
        endpoint: "push",
        path: "/ws",
        query: "",
        address: "192.0.2.7".parse().unwrap(),
        headers: &headers,
    };
    let refused = SessionAsk::new(nobody, fetcher()).ask(question).await;
    assert_eq!(refused.unwrap_err().as_u16(), 503);
}

/// So many questions are out at once; the next waits for its turn for a while.
#[tokio::test]
async fn o1_a_question_that_does_not_get_its_turn_is_503() {
    let server = TinyServer::start(|_| Some(("200 OK", "", "{}".to_owned()))).await;
    let asker = SessionAsk::new(options(&server), fetcher());
    let all = asker
        .turns
        .acquire_many(QUESTIONS_MAX as u32)
        .await
        .unwrap();
    let headers = request();
    let question = Question {
        endpoint: "push",
        path: "/ws",
        query: "",
        address: "192.0.2.7".parse().unwrap(),
        headers: &headers,
    };
    assert_eq!(asker.ask(question).await.unwrap_err().as_u16(), 503);
    assert!(server.asked().is_empty());
    drop(all);
    assert!(asker.ask(question).await.is_ok());
}
