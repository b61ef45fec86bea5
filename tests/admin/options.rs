//! Options that are changed while the server runs, and where clients come in.

use crate::api::{Api, server, with};
use crate::kit::xmpp::h;
use crate::kit::{Client, SM};
use serde_json::{Value, json};

fn value<'a>(options: &'a Value, key: &str) -> &'a Value {
    let options = options["options"].as_array().expect("options");
    let option = options.iter().find(|option| option["key"] == key);
    &option.expect(key)["value"]
}

/// F5
#[tokio::test]
async fn f5_an_ack_frequency_that_is_changed_holds_at_once_for_open_streams() {
    let server = with(&["sm.unsolicited_ack_delay=1m"]).await;
    let api = Api::of(&server).await;
    let mut client = Client::login(&server, "romeo").await;
    client.enable("").await;
    for _ in 0..4 {
        client.chat("juliet@example.org", "x").await;
    }
    assert_eq!(client.ask_h().await, 4); // and nothing came unasked
    let changes = json!({"sm.unsolicited_ack_frequency": 2});
    let answer = api.patch("/v1/options", changes).await;
    assert_eq!(value(answer.is(200), "sm.unsolicited_ack_frequency"), 2);
    let now = api.get("/v1/options").await;
    assert_eq!(value(now.is(200), "sm.unsolicited_ack_frequency"), 2);
    for expected in [6, 8] {
        client.chat("juliet@example.org", "x").await;
        client.chat("juliet@example.org", "x").await;
        let ack = client.next_where(|e| e.is("a", SM)).await;
        assert_eq!(h(&ack), expected);
    }
}

#[tokio::test]
async fn stream_management_that_is_switched_off_is_not_offered_any_more() {
    let server = server().await;
    let api = Api::of(&server).await;
    let offered = async || {
        let client = Client::authenticated(&server, "romeo").await;
        client.features.child("sm", SM).is_some()
    };
    assert!(offered().await);
    api.patch("/v1/options", json!({"sm.enabled": false}))
        .await
        .is(200);
    assert!(!offered().await);
    // Nothing was written to the file, so a reload brings back what is there.
    let mut file = (*server.server.config()).clone();
    file.sm.enabled = true;
    assert!(server.server.reload(&file).is_empty());
    assert!(offered().await);
    let now = api.get("/v1/options").await;
    assert_eq!(value(now.is(200), "sm.enabled"), true);
}

#[tokio::test]
async fn what_cannot_be_changed_is_told_in_the_words_of_the_file_and_nothing_is() {
    let server = server().await;
    let api = Api::of(&server).await;
    for (changes, words) in [
        (
            json!({"sm.enable": 1}),
            "there is no option sm.enable; did you mean sm.enabled?",
        ),
        (
            json!({"sm.enabled": 1}),
            "sm.enabled = 1 is neither true nor false; allowed: true or false",
        ),
        (json!({"sm.max_unacked": 5}), "allowed: 10 to 1000000"),
        (
            json!({"listen.plain": "127.0.0.1:1"}),
            "takes effect by a restart only",
        ),
        (
            json!({"sm.ack_request_frequency": 2000}),
            "has to be lower than sm.max_unacked",
        ),
        (
            json!({"sm.unsolicited_ack_frequency": 3, "sm.enabled": "no"}),
            "sm.enabled",
        ),
    ] {
        let answer = api.patch("/v1/options", changes).await;
        answer.is_problem(422, words);
        assert_eq!(answer.json["errors"].as_array().map(Vec::len), Some(1));
    }
    let answer = api.patch("/v1/options", json!({"a": 1, "b": 2})).await;
    assert_eq!(answer.is(422)["errors"].as_array().map(Vec::len), Some(2));
    api.patch("/v1/options", json!([]))
        .await
        .is_problem(400, "the body");
    let now = api.get("/v1/options").await;
    assert_eq!(value(now.is(200), "sm.unsolicited_ack_frequency"), 0);
    assert_eq!(value(&now.json, "sm.enabled"), true);
}

/// W10
#[tokio::test]
async fn w10_endpoints_are_listed_with_the_urls_that_clients_use() {
    let options = [
        "public_url=https://chat.example.org/xmpp",
        "endpoint.0.paths=/xmpp-websocket/",
        "endpoint.1.enabled=false",
        "endpoint.1.tier=gold",
        "endpoint.1.origins=*",
        "tier.gold.stanzas=100/1s",
    ];
    let server = with(&options).await;
    let api = Api::of(&server).await;
    let answer = api.get("/v1/endpoints").await;
    let expected = json!({
        "endpoints": [
            {
                "name": "web", "enabled": true, "tier": null, "auth": ["none"],
                "paths": ["/ws/", "/xmpp-websocket/"],
                "urls": [
                    "wss://chat.example.org/xmpp/ws/",
                    "wss://chat.example.org/xmpp/xmpp-websocket/",
                ],
                "origins": ["https://chat.example.org"],
            },
            {
                "name": "push", "enabled": false, "tier": "gold", "auth": ["none"],
                "paths": ["/ws/push/"], "urls": ["wss://chat.example.org/xmpp/ws/push/"],
                "origins": ["*"],
            },
        ],
        "bosh": {
            "path": "/http-bind/",
            "url": "https://chat.example.org/xmpp/http-bind/",
        },
    });
    assert_eq!(answer.is(200), &expected);
}

/// O7
#[tokio::test]
async fn o7_figures_agree_with_who_is_here() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut a = Client::login(&server, "romeo").await;
    a.enable_resumable().await;
    let _b = Client::login(&server, "juliet").await;
    a.chat("juliet@example.org", "x").await;
    a.sync().await;
    drop(a);
    server.hibernating(1).await;
    let figures = api.get("/v1/figures").await;
    let figures = figures.is(200);
    let expected = json!({"attached": 1, "hibernating": 1, "websocket": 2, "bosh": 0});
    assert_eq!(figures["sessions"], expected);
    assert_eq!(figures["domain"], "example.org");
    assert_eq!(figures["stopping"], false);
    let (sent, received) = (&figures["stanzas"]["in"], &figures["stanzas"]["out"]);
    assert!(
        sent.as_u64() >= Some(2) && received.as_u64() >= Some(1),
        "{figures}"
    );
    let sessions = api.get("/v1/sessions?user=romeo@example.org").await;
    let counters = &sessions.is(200)["sessions"][0]["counters"];
    // The message and the ping behind it; what came before the bind is nobody's.
    assert_eq!(counters["stanzas_in"], 2, "{counters}");
    let buckets = figures["acks"]["bounds"].as_array().map(Vec::len);
    let counts = figures["acks"]["counts"].as_array().map(Vec::len);
    assert_eq!(counts, buckets.map(|bounds| bounds + 1));
}

#[tokio::test]
async fn a_file_of_tokens_that_cannot_be_read_changes_nothing() {
    let server = server().await;
    let api = Api::of(&server).await;
    let changes = json!({"auth.token.file": "/nonexistent/tokens", "sm.enabled": false});
    let answer = api.patch("/v1/options", changes).await;
    let told = answer.is(422)["errors"][0].as_str().expect("a sentence");
    assert!(told.contains("auth.token.file"), "{told}");
    let now = api.get("/v1/options").await;
    assert_eq!(value(now.is(200), "sm.enabled"), true);
    assert_eq!(*value(now.is(200), "auth.token.file"), Value::Null);
}
