//! Tickets by the admin port.

use crate::api::{Api, with};
use crate::kit::{Client, Handshake, TestServer};
use serde_json::json;

async fn server() -> TestServer {
    with(&["endpoint.1.auth=ticket"]).await
}

/// The handshake for a URL that was made here.
fn handshake(url: &str) -> Handshake {
    let (_, rest) = url.split_once("://").expect("a URL");
    let path = &rest[rest.find('/').expect("a path")..];
    Handshake::new().line(&format!("GET {path} HTTP/1.1"))
}

/// X5
#[tokio::test]
async fn x5_a_ticket_lets_one_client_in_once() {
    let server = server().await;
    let api = Api::of(&server).await;
    let asked = json!({"user": "romeo@example.org", "endpoint": "push", "ttl": "60s"});
    let answer = api.post("/v1/tickets", asked).await;
    let url = answer.is(201)["url"].as_str().expect("a URL").to_owned();
    assert!(url.contains("/ws/push/?k="), "{url}");
    let (response, ws) = handshake(&url).send(&server).await;
    assert_eq!(response.status, 101);
    let client = Client::on(ws).await;
    assert!(client.mechanisms().contains(&"EXTERNAL".to_owned()));
    assert_eq!(handshake(&url).status(&server).await, 403);
    let none = Handshake::new().line("GET /ws/push/ HTTP/1.1");
    assert_eq!(none.status(&server).await, 401);
}

/// X5
#[tokio::test]
async fn x5_a_ticket_is_for_the_first_endpoint_that_takes_them_if_none_is_named() {
    let server = server().await;
    let api = Api::of(&server).await;
    let answer = api
        .post("/v1/tickets", json!({"user": "romeo@example.org"}))
        .await;
    let url = answer.is(201)["url"].as_str().expect("a URL").to_owned();
    assert!(url.contains("/ws/push/?k="), "{url}");
}

/// X5
#[tokio::test]
async fn x5_a_ticket_that_cannot_be_made_is_refused_with_the_reason() {
    let server = server().await;
    let api = Api::of(&server).await;
    let user = "romeo@example.org";
    for (body, status, words) in [
        (
            json!({"user": user, "endpoint": "nowhere"}),
            404,
            "no endpoint",
        ),
        (
            json!({"user": user, "endpoint": "web"}),
            409,
            "takes no tickets",
        ),
        (json!({"user": "romeo@example.com"}), 400, "not of a domain"),
        (
            json!({"user": "romeo@example.org/orchard"}),
            400,
            "no bare address",
        ),
        (json!({"user": user, "ttl": "0s"}), 400, "up to an hour"),
        (json!({"user": user, "ttl": "61m"}), 400, "up to an hour"),
        (json!({"user": user, "ttl": "soon"}), 400, "ttl"),
        (json!({}), 400, "missing field"),
    ] {
        api.post("/v1/tickets", body)
            .await
            .is_problem(status, words);
    }
    let server = with(&[]).await;
    let api = Api::of(&server).await;
    let answer = api.post("/v1/tickets", json!({"user": user})).await;
    answer.is_problem(409, "no endpoint takes tickets");
}
