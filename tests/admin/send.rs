//! What is sent by the admin port.

use crate::api::{Api, login_at, server};
use crate::kit::{Client, body, within};
use crate::sessions::id_of;
use serde_json::json;

/// E6
#[tokio::test]
async fn e6_a_session_that_is_here_gets_it_and_one_that_is_not_gets_nothing() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut client = login_at(&server, "/ws/", "romeo", "a").await;
    client.enable("").await;
    let id = id_of(&api, &client).await;
    let stanza = "<message id='m1'><body>hello &amp; goodbye</body></message>";
    let answer = api.post(
        "/v1/send",
        json!({"target": {"session": id}, "stanza": stanza}),
    );
    let answer = answer.await;
    assert_eq!(
        answer.is(200),
        &json!({"sent": 1, "queued": 0, "dropped": 0})
    );
    let message = client.next_named("message").await;
    assert_eq!(body(&message), "hello & goodbye");
    assert_eq!(message.attr("from"), Some("example.org"));
    assert_eq!(message.attr("to"), Some(&*client.jid));
    let dead = json!({"target": {"session": "0".repeat(32)}, "stanza": stanza});
    let answer = api.post("/v1/send", dead).await;
    assert_eq!(
        answer.is(200),
        &json!({"sent": 0, "queued": 0, "dropped": 0})
    );
}

/// O6
#[tokio::test]
async fn o6_all_sessions_of_a_user_on_a_path_get_it_once_but_not_the_one_excepted() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut a = login_at(&server, "/ws/push", "romeo", "a").await;
    let mut b = login_at(&server, "/ws/push", "romeo", "b").await;
    let mut c = login_at(&server, "/ws/", "romeo", "c").await;
    let stanza = "<message><body>x</body></message>";
    let target = json!({"user": "romeo@example.org", "path": "/ws/push/*"});
    let answer = api
        .post("/v1/send", json!({"target": target, "stanza": stanza}))
        .await;
    assert_eq!(answer.is(200)["sent"], 2);
    let except = [id_of(&api, &a).await];
    let target = json!({"user": "romeo@example.org", "except": except});
    let answer = api
        .post("/v1/send", json!({"target": target, "stanza": stanza}))
        .await;
    assert_eq!(answer.is(200)["sent"], 2);
    let answer = api
        .post(
            "/v1/send",
            json!({"target": {"all": true}, "stanza": stanza}),
        )
        .await;
    assert_eq!(answer.is(200)["sent"], 3);
    for (client, expected) in [(&mut a, 2), (&mut b, 3), (&mut c, 2)] {
        assert_eq!(client.messages().await.len(), expected, "{}", client.jid);
    }
}

/// O6
#[tokio::test]
async fn o6_those_are_counted_as_acked_whose_clients_said_so_in_time() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut quick = login_at(&server, "/ws/", "romeo", "a").await;
    quick.enable("").await;
    let mut frozen = login_at(&server, "/ws/", "romeo", "b").await;
    frozen.enable("").await;
    let stanza = "<message><body>x</body></message>";
    let target = json!({"user": "romeo@example.org"});
    let asked = json!({"target": target, "stanza": stanza, "acked_within": "800ms"});
    let acks = async {
        quick.next_named("message").await;
        quick.ack(1).await;
    };
    let (answer, ()) = tokio::join!(within("an answer", api.post("/v1/send", asked)), acks);
    let expected = json!({"sent": 2, "queued": 0, "dropped": 0, "acked": 1});
    assert_eq!(answer.is(200), &expected);
}

/// O6
#[tokio::test]
async fn o6_who_hibernates_gets_it_when_it_is_back() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut client = Client::login_as(&server, "romeo", "a").await;
    let previd = client.enable_resumable().await;
    drop(client);
    server.hibernating(1).await;
    let stanza = "<message><body>x</body></message>";
    let asked = json!({"target": {"user": "romeo@example.org"}, "stanza": stanza});
    let answer = api.post("/v1/send", asked).await;
    assert_eq!(
        answer.is(200),
        &json!({"sent": 0, "queued": 1, "dropped": 0})
    );
    let (mut client, _) = Client::resume(&server, "romeo", &previd, 0).await;
    assert_eq!(body(&client.next_named("message").await), "x");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_the_reason() {
    let server = server().await;
    let api = Api::of(&server).await;
    let stanza = "<message/>";
    let many: Vec<_> = (0..1001).map(|n| format!("{n:032x}")).collect();
    for (body, words) in [
        (json!({"target": {"all": true}}), "missing field `stanza`"),
        (json!({"stanza": stanza}), "missing field `target`"),
        (json!({"target": {}, "stanza": stanza}), "is wanted"),
        (
            json!({"target": {"path": "*"}, "stanza": stanza}),
            "is wanted",
        ),
        (
            json!({"target": {"all": true, "user": "a@b"}, "stanza": stanza}),
            "not several",
        ),
        (
            json!({"target": {"user": "a@b/c"}, "stanza": stanza}),
            "no bare address",
        ),
        (
            json!({"target": {"session": "x"}, "stanza": stanza}),
            "no id of a session",
        ),
        (
            json!({"target": {"all": true, "path": "ws"}, "stanza": stanza}),
            "no path filter",
        ),
        (
            json!({"target": {"all": true, "except": ["x"]}, "stanza": stanza}),
            "no id",
        ),
        (
            json!({"target": {"all": true, "except": many}, "stanza": stanza}),
            "too many",
        ),
        (
            json!({"target": {"all": true}, "stanza": "<message>"}),
            "stanza: not a stanza",
        ),
        (
            json!({"target": {"all": true}, "stanza": "<body/>"}),
            "not a stanza",
        ),
        (
            json!({"target": {"all": true}, "stanza": "<iq type='get'/>"}),
            "not a stanza",
        ),
        (
            json!({"target": {"all": true}, "stanza": stanza, "acked_within": "soon"}),
            "acked_within",
        ),
        (
            json!({"target": {"all": true}, "stanza": stanza, "acked_within": "61s"}),
            "up to a minute",
        ),
        (
            json!({"target": {"all": true}, "stanza": stanza, "colour": "red"}),
            "unknown field",
        ),
    ] {
        let answer = api.post("/v1/send", body.clone()).await;
        answer.is_problem(400, words);
    }
    let broken = api.call("POST", "/v1/send", "{\"target\":").await;
    broken.is_problem(400, "the body");
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_json_is_not_read() {
    let server = server().await;
    let api = Api::of(&server).await;
    let long = format!("{{\"stanza\": \"{}\"}}", "x".repeat(1024 * 1024));
    api.call("POST", "/v1/send", &long)
        .await
        .is_problem(413, "");
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
    ] {
        let answer = api.raw("POST", "/v1/send", headers, "{}").await;
        answer.is_problem(415, "application/json");
    }
    let headers = "Content-Type: application/json; charset=utf-8\r\n";
    let answer = api.raw("POST", "/v1/send", headers, "{}").await;
    answer.is_problem(400, "missing field");
}
