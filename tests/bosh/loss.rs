//! The promise over a bad network and under a flood: nothing lost, nothing doubled, in order.

use crate::world::{Client, World, chat};
use std::time::Duration;

/// Polling sessions answer at once, so that these tests wait for nothing.
const POLLS: &str = "wait='0' hold='0'";

async fn polling_world() -> World {
    World::with(|options, _| {
        options.window.polling = Duration::ZERO;
        options.window.max_repeats = 1000;
    })
    .await
}

async fn polling<'w>(world: &'w World, name: &str) -> Client<'w> {
    let mut client = world.session(POLLS).await;
    client.authenticate(name).await;
    client.bind(name).await;
    client
        .ask("<presence xmlns='jabber:client'/>", "<presence")
        .await;
    client
}

/// Numbers 0 to `count`, as bodies of messages in what a client was told.
fn numbers(said: &str) -> Vec<usize> {
    let bodies = said.split("<body>n").skip(1);
    bodies
        .map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
            digits.unwrap().parse().unwrap()
        })
        .collect()
}

/// A die that falls the same way in every run.
struct Die(u32);

impl Die {
    fn one_in(&mut self, sides: u32) -> bool {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16).is_multiple_of(sides)
    }
}

/// One request over a network that breaks connections: before the request is whole, before its
/// answer is read, or not at all. The client sends the same bytes again until it has an answer.
async fn over_bad_network(client: &mut Client<'_>, payload: &str, die: &mut Die) -> String {
    let body = client.next("", payload);
    loop {
        let mut http = client.world.connect().await;
        if die.one_in(4) {
            let half = body.get(..body.len() / 2).unwrap();
            let length = body.len();
            let head = "POST /http-bind/ HTTP/1.1\r\nHost: x";
            http.write(&format!("{head}\r\nContent-Length: {length}\r\n\r\n{half}"))
                .await;
            continue;
        }
        http.post(&body).await;
        if die.one_in(4) {
            continue;
        }
        let reply = http.reply().await;
        assert!(!reply.body.contains("terminate"), "{reply:?}");
        // "type='error'" lets a connection go that another request took over from (§17.3).
        if !reply.body.contains("type='error'") {
            return reply.body;
        }
    }
}

/// B-08, B-47
#[tokio::test]
async fn messages_cross_a_bad_network_once_and_in_order() {
    const COUNT: usize = 200;
    let world = polling_world().await;
    let mut romeo = polling(&world, "romeo").await;
    let mut juliet = polling(&world, "juliet").await;
    let sending = async {
        let mut die = Die(1);
        for n in 0..COUNT {
            let message = chat("juliet", &format!("n{n}"));
            over_bad_network(&mut romeo, &message, &mut die).await;
        }
    };
    let receiving = async {
        let mut die = Die(2);
        let mut got = Vec::new();
        while got.last() != Some(&(COUNT - 1)) {
            got.extend(numbers(&over_bad_network(&mut juliet, "", &mut die).await));
        }
        got
    };
    let ((), got) = tokio::join!(sending, receiving);
    assert_eq!(got, (0..COUNT).collect::<Vec<_>>());
}

/// Sends `count` messages to `to`, forty in a body, and reads until it has as many.
async fn flood(mut client: Client<'_>, to: &str, count: usize) -> Vec<usize> {
    let text = "x".repeat(1000);
    let messages: Vec<_> = (0..count)
        .map(|n| chat(to, &format!("n{n} {text}")))
        .collect();
    let mut got = Vec::new();
    for batch in messages.chunks(40) {
        let reply = client.exchange("", &batch.concat()).await;
        got.extend(numbers(&reply.body));
    }
    while got.len() < count {
        got.extend(numbers(&client.exchange("", "").await.body));
    }
    got
}

/// Both mailboxes are full most of the time, so that each waits for the other; neither forever.
#[tokio::test]
async fn two_clients_that_flood_each_other_get_everything_in_order() {
    const COUNT: usize = 2000;
    let world = polling_world().await;
    let (romeo, juliet) = (
        polling(&world, "romeo").await,
        polling(&world, "juliet").await,
    );
    let (romeos, juliets) =
        tokio::join!(flood(romeo, "juliet", COUNT), flood(juliet, "romeo", COUNT));
    let all: Vec<_> = (0..COUNT).collect();
    assert_eq!(romeos, all);
    assert_eq!(juliets, all);
}

/// A receiver that fetches nothing slows its sender down and loses nothing.
#[tokio::test]
async fn sender_is_slowed_by_a_receiver_that_fetches_nothing() {
    let world = World::new().await;
    let mut juliet = world.login("juliet").await;
    let mut romeo = world.login("romeo").await;
    let text = "x".repeat(1000);
    let mut sent = 0;
    let mut body = || {
        let batch = (sent..sent + 60).map(|n| chat("juliet", &format!("n{n} {text}")));
        sent += 60;
        batch.collect::<String>()
    };
    let mut open = romeo.begin("", &body()).await;
    // Each further request releases the one before it, until the backlog is full: then two are held.
    let slowed = async {
        loop {
            let next = romeo.begin("", &body()).await;
            let released = tokio::time::timeout(Duration::from_secs(1), open.reply()).await;
            if released.is_err() {
                return next;
            }
            open = next;
        }
    };
    let last = tokio::time::timeout(Duration::from_secs(30), slowed)
        .await
        .unwrap();
    assert!(sent <= 60 * 5, "{sent} messages were let in");
    let mut got = Vec::new();
    while got.len() < sent {
        got.extend(numbers(&juliet.exchange("", "").await.body));
    }
    assert_eq!(got, (0..sent).collect::<Vec<_>>());
    drop(last);
}
