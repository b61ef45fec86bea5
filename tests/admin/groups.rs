//! Groups by the admin port.

use crate::api::{Api, login_at, server};
use crate::kit::Client;
use crate::sessions::id_of;
use serde_json::json;

/// E7
#[tokio::test]
async fn e7_members_of_a_group_get_what_is_sent_to_it_until_they_leave_or_end() {
    let server = server().await;
    let api = Api::of(&server).await;
    let mut a = login_at(&server, "/ws/", "romeo", "a").await;
    let mut b = login_at(&server, "/ws/", "juliet", "b").await;
    let mut c = login_at(&server, "/ws/", "nurse", "c").await;
    let (in_a, in_b) = (id_of(&api, &a).await, id_of(&api, &b).await);
    api.put(&format!("/v1/groups/the%20ball/{in_a}"))
        .await
        .is(201);
    api.put(&format!("/v1/groups/the%20ball/{in_b}"))
        .await
        .is(201);
    api.put(&format!("/v1/groups/the%20ball/{in_b}"))
        .await
        .is(204);
    let groups = api.get("/v1/groups").await;
    let expected = json!({"groups": [{"name": "the ball", "size": 2}], "total": 1, "next": null});
    assert_eq!(groups.is(200), &expected);
    let stanza = "<message><body>x</body></message>";
    let asked = json!({"target": {"group": "the ball"}, "stanza": stanza});
    assert_eq!(api.post("/v1/send", asked).await.is(200)["sent"], 2);
    for (client, expected) in [(&mut a, 1), (&mut b, 1), (&mut c, 0)] {
        assert_eq!(client.messages().await.len(), expected, "{}", client.jid);
    }
    a.close().await;
    server.sessions(2).await;
    let group = api.get("/v1/groups/the%20ball").await;
    assert_eq!(group.is(200)["total"], 1);
    assert_eq!(group.json["sessions"][0]["jid"], "juliet@example.org/b");
    api.delete(&format!("/v1/groups/the%20ball/{in_b}"))
        .await
        .is(204);
    let again = api.delete(&format!("/v1/groups/the%20ball/{in_b}")).await;
    again.is_problem(404, "not in this group");
    assert_eq!(api.get("/v1/groups/the%20ball").await.is(200)["total"], 0);
    assert_eq!(api.get("/v1/groups").await.is(200)["total"], 0);
}

#[tokio::test]
async fn who_cannot_join_is_told_why() {
    let server = server().await;
    let api = Api::of(&server).await;
    let client = Client::login(&server, "romeo").await;
    let id = id_of(&api, &client).await;
    for gone in ["x", &"0".repeat(32)] {
        let answer = api.put(&format!("/v1/groups/g/{gone}")).await;
        answer.is_problem(404, "no such session");
        let answer = api.delete(&format!("/v1/groups/g/{gone}")).await;
        assert_eq!(answer.status, 404);
    }
    let long = "g".repeat(257);
    let answer = api.put(&format!("/v1/groups/{long}/{id}")).await;
    answer.is_problem(400, "1 to 256 bytes");
    for number in 0..64 {
        api.put(&format!("/v1/groups/g{number:02}/{id}"))
            .await
            .is(201);
    }
    let answer = api.put(&format!("/v1/groups/one-more/{id}")).await;
    answer.is_problem(409, "at most 64 groups");
    let first = api.get("/v1/groups?limit=40").await;
    assert_eq!(first.is(200)["next"], "g39");
    let rest = api.get("/v1/groups?limit=40&after=g39").await;
    assert_eq!(rest.is(200)["groups"].as_array().map(Vec::len), Some(24));
    assert_eq!(rest.json["next"], json!(null));
}
