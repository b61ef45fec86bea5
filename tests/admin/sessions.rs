//! Who is here, and who is no more.

use crate::api::{Api, login_at, server, with_logins};
use crate::kit::xmpp::item_not_found;
use crate::kit::{Client, Handshake};
use serde_json::Value;

fn jids(list: &Value) -> Vec<&str> {
    let sessions = list["sessions"].as_array().expect("sessions").iter();
    let mut jids: Vec<_> = sessions
        .map(|s| s["jid"].as_str().expect("a jid"))
        .collect();
    jids.sort_unstable();
    jids
}

pub async fn id_of(api: &Api, client: &Client) -> String {
    let list = api
        .get(&format!("/v1/sessions?user={}", client.bare()))
        .await;
    let sessions = list.is(200)["sessions"]
        .as_array()
        .expect("sessions")
        .clone();
    let own = sessions.iter().find(|session| session["jid"] == client.jid);
    own.expect("the session")["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// O7
#[tokio::test]
async fn o7_sessions_are_listed_by_user_path_group_and_id() {
    let server = server().await;
    let api = Api::of(&server).await;
    let _a = login_at(&server, "/ws/", "romeo", "a").await;
    let b = login_at(&server, "/ws/push?x=1", "romeo", "b").await;
    let c = login_at(&server, "/ws/", "juliet", "c").await;
    let all = api.get("/v1/sessions").await;
    assert_eq!(all.is(200)["total"], 3);
    let id = id_of(&api, &b).await;
    api.put(&format!("/v1/groups/g/{id}")).await.is(201);
    for (query, expected) in [
        (
            "user=romeo@example.org",
            vec!["romeo@example.org/a", "romeo@example.org/b"],
        ),
        ("user=nurse@example.org", vec![]),
        (
            "path=/ws",
            vec!["juliet@example.org/c", "romeo@example.org/a"],
        ),
        ("path=/ws/push/*", vec!["romeo@example.org/b"]),
        (
            "user=romeo@example.org&path=/ws/push",
            vec!["romeo@example.org/b"],
        ),
        ("group=g", vec!["romeo@example.org/b"]),
        ("group=h", vec![]),
        ("login=x", vec![]),
        (&format!("id={id}"), vec!["romeo@example.org/b"]),
    ] {
        let list = api.get(&format!("/v1/sessions?{query}")).await;
        assert_eq!(jids(list.is(200)), expected, "{query}");
    }
    let one = api.get(&format!("/v1/sessions/{id}")).await;
    let one = one.is(200);
    assert_eq!(one["endpoint"], "push");
    assert_eq!(one["path"], "/ws/push");
    assert_eq!(one["query"], "x=1");
    assert_eq!(one["transport"], "websocket");
    assert_eq!(one["address"], "127.0.0.1");
    assert_eq!(one["groups"], serde_json::json!(["g"]));
    assert_eq!(one["attached"], true);
    c.close().await;
    server.sessions(2).await;
    let all = api.get("/v1/sessions").await;
    assert_eq!(all.is(200)["total"], 2);
}

/// O7
#[tokio::test]
async fn o7_a_long_list_comes_in_pages_and_each_session_once() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut clients = Vec::new();
    for name in ["romeo", "juliet", "mercutio", "tybalt", "nurse"] {
        clients.push(Client::login(&server, name).await);
    }
    let mut found = Vec::new();
    let mut after = String::new();
    for expected in [2, 2, 1] {
        let page = api.get(&format!("/v1/sessions?limit=2{after}")).await;
        let page = page.is(200);
        let ids = page["sessions"].as_array().expect("sessions");
        assert_eq!((ids.len(), &page["total"]), (expected, &5.into()));
        found.extend(ids.iter().map(|session| session["id"].to_string()));
        after = match page["next"].as_str() {
            Some(next) => format!("&after={next}"),
            None => String::new(),
        };
    }
    assert_eq!(after, "");
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 5);
}

/// O5
#[tokio::test]
async fn o5_who_is_asked_for_exists_or_not_and_what_makes_no_sense_is_400() {
    let server = server().await;
    let api = Api::of(&server).await;
    let client = login_at(&server, "/ws/push", "romeo", "a").await;
    let id = id_of(&api, &client).await;
    for (query, expected) in [
        ("user=romeo@example.org".to_owned(), true),
        ("user=romeo@example.org&path=/ws/push/*".to_owned(), true),
        ("user=romeo@example.org&path=/ws".to_owned(), false),
        ("user=juliet@example.org".to_owned(), false),
        (format!("id={id}"), true),
        (format!("id={}", "0".repeat(32)), false),
        ("group=g".to_owned(), false),
    ] {
        let answer = api.get(&format!("/v1/exists?{query}")).await;
        assert_eq!(answer.is(200)["exists"], expected, "{query}");
    }
    for (query, words) in [
        ("", "is wanted"),
        ("path=/ws", "is wanted"),
        ("user=romeo@example.org&group=g", "not several"),
        ("user=@", "no bare address"),
        ("user=romeo@example.org/orchard", "no bare address"),
        ("user=romeo@example.org&path=ws", "no path filter"),
        ("user=romeo@example.org&path=/a*", "no path filter"),
        ("id=7", "no id of a session"),
        ("usr=romeo@example.org", "unknown field"),
    ] {
        let answer = api.get(&format!("/v1/exists?{query}")).await;
        answer.is_problem(400, words);
    }
}

#[tokio::test]
async fn a_list_that_makes_no_sense_is_400_and_a_session_that_is_not_there_404() {
    let server = server().await;
    let api = Api::of(&server).await;
    for (query, words) in [
        ("limit=0", "out of range"),
        ("limit=1001", "out of range"),
        ("limit=x", "invalid digit"),
        ("after=x", "no id of a session"),
        ("all=true", "unknown field"),
        ("user=a@b/c", "no bare address"),
    ] {
        let answer = api.get(&format!("/v1/sessions?{query}")).await;
        answer.is_problem(400, words);
    }
    for id in ["7", &"0".repeat(32)] {
        let answer = api.get(&format!("/v1/sessions/{id}")).await;
        answer.is_problem(404, "no such session");
    }
}

/// O14
#[tokio::test]
async fn o14_sessions_are_closed_by_user_and_path_and_cannot_be_resumed() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut away = login_at(&server, "/ws/push", "romeo", "a").await;
    let previd = away.enable_resumable().await;
    let mut stays = login_at(&server, "/ws/", "romeo", "b").await;
    let path = "/v1/sessions?user=romeo@example.org&path=/ws/push/*";
    let answer = api.delete(path).await;
    assert_eq!(answer.is(200)["closed"], 1);
    away.refused(&["policy-violation"]).await;
    server.sessions(1).await;
    let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
    assert!(item_not_found(&answer), "{answer}");
    stays.sync().await;
    let answer = api
        .delete("/v1/sessions?user=romeo@example.org&reason=logged-out")
        .await;
    assert_eq!(answer.is(200)["closed"], 1);
    stays.refused(&["not-authorized"]).await;
}

/// O14
#[tokio::test]
async fn o14_everybody_is_closed_only_if_that_is_said() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut client = Client::login(&server, "romeo").await;
    for query in ["", "?path=*", "?all=false", "?reason=removed"] {
        let answer = api.delete(&format!("/v1/sessions{query}")).await;
        answer.is_problem(400, "say all=true");
    }
    api.delete("/v1/sessions?all=true&reason=bored")
        .await
        .is_problem(400, "unknown variant");
    client.sync().await;
    let answer = api.delete("/v1/sessions?all=true").await;
    assert_eq!(answer.is(200)["closed"], 1);
    client.refused(&["policy-violation"]).await;
}

/// O2, E11
#[tokio::test]
async fn e11_o2_a_login_that_is_deleted_ends_its_sessions_and_stays_closed() {
    let server = with_logins().await;
    let api = Api::of(&server).await;
    let mut gone = login_at(&server, "/ws/?login=one", "romeo", "a").await;
    let mut stays = login_at(&server, "/ws/?login=two", "romeo", "b").await;
    let list = api.get("/v1/sessions?login=one").await;
    assert_eq!(jids(list.is(200)), ["romeo@example.org/a"]);
    assert_eq!(list.json["sessions"][0]["login"], "one");
    let answer = api.delete("/v1/logins/one").await;
    assert_eq!(answer.is(200)["closed"], 1);
    gone.refused(&["not-authorized"]).await;
    stays.sync().await;
    // It is open to no one else, either.
    let late = Handshake::new().line("GET /ws/?login=one HTTP/1.1");
    let (response, ws) = late.send(&server).await;
    if response.status == 101 {
        let mut late = Client::on(ws).await;
        late.plain("romeo").await;
        late.bind(None).await;
        late.refused(&["not-authorized"]).await;
    }
    server.sessions(1).await;
    let answer = api.delete("/v1/logins/never-was").await;
    assert_eq!(answer.is(200)["closed"], 0);
}

/// W7
#[tokio::test]
async fn w7_what_is_revoked_ends_at_once_and_cannot_be_resumed() {
    let server = with_logins().await;
    let api = Api::of(&server).await;
    let mut romeo = login_at(&server, "/ws/?login=one", "romeo", "a").await;
    let previd = romeo.enable_resumable().await;
    let mut juliet = login_at(&server, "/ws/?login=two", "juliet", "b").await;
    let body = serde_json::json!({"user": "romeo@example.org"});
    assert_eq!(api.post("/v1/revoke", body).await.is(200)["closed"], 1);
    romeo.refused(&["not-authorized"]).await;
    let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
    assert!(item_not_found(&answer), "{answer}");
    let body = serde_json::json!({"login": "two"});
    assert_eq!(api.post("/v1/revoke", body).await.is(200)["closed"], 1);
    juliet.refused(&["not-authorized"]).await;
    for (body, words) in [
        (serde_json::json!({}), "is wanted"),
        (
            serde_json::json!({"user": "a@b", "login": "x"}),
            "not several",
        ),
        (serde_json::json!({"user": "@"}), "no bare address"),
        (serde_json::json!({"group": "g"}), "unknown field"),
        (serde_json::json!([]), "the body"),
    ] {
        api.post("/v1/revoke", body).await.is_problem(400, words);
    }
}
