//! All of `xmpp-testdata` against a server that runs as a process of its own: the exact answer to
//! each, the process stays up, others chat on, and the memory comes back.

mod kit;

use kit::manifest::entries;
use kit::process::Process;
use kit::{Client, Http, corpus};

/// What memory may have grown by after everything was played once more: allocators keep some.
const MARGIN_BYTES: u64 = 24 * 1024 * 1024;

/// A witness from another account, who chats with herself all the while.
struct Witness(Client);

impl Witness {
    async fn new(process: &Process) -> Self {
        let mut client = Client::over(Http::to(process.address).await).await;
        client.plain("nurse").await;
        client.bind(Some("witness")).await;
        client
            .become_available("<presence xmlns='jabber:client'/>")
            .await;
        Self(client)
    }

    async fn chats_on(&mut self, text: &str) {
        let own = self.0.jid.clone();
        self.0.chat(&own, text).await;
        assert_eq!(self.0.bodies().await, [text]);
    }
}

#[tokio::test]
async fn every_frame_of_the_corpus_gets_its_answer_and_nobody_else_notices() {
    let mut process = Process::start(&[]).await;
    let mut witness = Witness::new(&process).await;
    let mut juliet = Client::over(Http::to(process.address).await).await;
    juliet.plain("juliet").await;
    juliet.bind(Some("balcony")).await;
    juliet
        .become_available("<presence xmlns='jabber:client'/>")
        .await;
    let (mut resident, mut faults) = (Vec::new(), Vec::new());
    for _round in 0..2 {
        for entry in entries() {
            faults.extend(
                corpus::play_before_auth(process.address, &entry)
                    .await
                    .err(),
            );
            let bound = corpus::play_bound(process.address, &entry, &mut juliet).await;
            faults.extend(bound.err());
            witness.chats_on(&entry.name).await;
            assert!(process.is_alive(), "{}", entry.name);
        }
        resident.push(process.resident_bytes());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        resident[1] <= resident[0] + MARGIN_BYTES,
        "memory grows: {resident:?}"
    );
}
