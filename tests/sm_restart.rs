//! Stream management across the end of the process (`sm.durability`), over sockets.

mod kit;

use kit::process::Process;
use kit::xmpp::{befriend, body, h, item_not_found};
use kit::{CLIENT, Client, DELAY, Http, SM, TestServer};
use stanzad::xml::Element;

const ROMEO: &str = "romeo@example.org/orchard";
const GONE: &str = "(the link ends)";

/// Stops a server whose clients go when they are let go of, and starts the next one over what it
/// left. Returns what each client heard at last.
async fn restart<const N: usize>(
    server: TestServer,
    clients: [Client; N],
    options: &[&str],
) -> (TestServer, [Vec<String>; N]) {
    let TestServer { server, state } = server;
    let heard = clients.map(|client| tokio::spawn(async move { last_words(client).await }));
    assert!(server.stop().await.in_time, "somebody did not go");
    let mut all = [const { Vec::new() }; N];
    for (heard, task) in all.iter_mut().zip(heard) {
        *heard = task.await.expect("last words");
    }
    (TestServer::at(state, options).await, all)
}

async fn last_words(mut client: Client) -> Vec<String> {
    let (mut texts, code) = client.ws.read_to_end().await;
    if code == Some(1001) {
        texts.push(GONE.to_owned());
    }
    texts
}

mod a_clean_stop {
    use super::*;

    /// S-28: no close, so that the session lives.
    #[tokio::test]
    async fn lets_go_of_a_session_that_can_be_resumed_without_a_close_and_acks_before() {
        let server = TestServer::start().await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        romeo.enable_resumable().await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        romeo.next_named("presence").await;
        let (_, [heard]) = restart(server, [romeo], &[]).await;
        assert_eq!(heard.len(), 2, "{heard:?}");
        let ack: Element = kit::xmpp::parse(&heard[0]);
        assert!(ack.is("a", SM) && h(&ack) == 1, "{heard:?}");
        assert_eq!(heard[1], GONE);
    }

    #[tokio::test]
    async fn f10_gives_the_session_back_with_both_counters_and_all_that_was_unacked() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        for text in ["1", "2", "3"] {
            juliet.chat(ROMEO, text).await;
        }
        juliet.sync().await;
        romeo.sync().await; // h is 1; three messages and an answer were sent
        romeo.ack(2).await;
        let (server, [heard, _]) = restart(server, [romeo, juliet], &[]).await;
        assert_eq!(heard.last().map(String::as_str), Some(GONE));
        assert_eq!(server.server.sessions().hibernating(), 1);
        let (mut romeo, handled) = Client::resume(&server, "romeo", &previd, 2).await;
        assert_eq!(handled, 1);
        let again = romeo.messages().await;
        let texts: Vec<_> = again.iter().map(body).collect();
        assert_eq!(texts, ["3"]);
        assert!(again[0].child("delay", DELAY).is_some());
        // The counters go on: "3", the answer to the ping of before and that of `messages`.
        assert_eq!(romeo.ask_h().await, 2);
        romeo.ack(5).await;
        romeo.hears_nothing().await;
    }

    #[tokio::test]
    async fn is_not_noticed_by_contacts_if_the_client_is_back_in_time() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        befriend(&mut romeo, &mut juliet).await;
        let (his, hers) = (
            romeo.enable_resumable().await,
            juliet.enable_resumable().await,
        );
        let (server, [his_last, her_last]) = restart(server, [romeo, juliet], &[]).await;
        for heard in [his_last, her_last] {
            assert!(
                !heard.iter().any(|text| text.contains("unavailable")),
                "{heard:?}"
            );
        }
        let (mut juliet, _) = Client::resume(&server, "juliet", &hers, 0).await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &his, 0).await;
        romeo.hears_nothing().await;
        juliet.hears_nothing().await;
        // They still see each other.
        romeo
            .send(&format!(
                "<presence xmlns='{CLIENT}'><show>dnd</show></presence>"
            ))
            .await;
        let presence = juliet.next_named("presence").await;
        assert_eq!(presence.attr("from"), Some(ROMEO));
    }

    /// The whole of a session: presence, priority, carbons, and where its messages go.
    #[tokio::test]
    async fn keeps_presence_and_carbons_so_that_messages_find_the_session_before_it_is_resumed() {
        let server = TestServer::start().await;
        let mut phone = Client::available_as(&server, "romeo", "phone").await;
        let carbons = "<enable xmlns='urn:xmpp:carbons:2'/>";
        phone.iq("set", "", carbons).await;
        let previd = phone.enable_resumable().await;
        let (server, _) = restart(server, [phone], &[]).await;
        let mut desk = Client::available_as(&server, "romeo", "desk").await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat("romeo@example.org/desk", "to the desk").await;
        juliet.chat("romeo@example.org", "to all").await;
        juliet.sync().await;
        desk.sync().await;
        let (mut phone, _) = Client::resume(&server, "romeo", &previd, 0).await;
        let heard = phone.messages().await;
        assert_eq!(heard.len(), 2, "{}", kit::xmpp::show(&heard));
        assert!(heard[0].child("received", "urn:xmpp:carbons:2").is_some());
        assert_eq!(body(&heard[1]), "to all");
    }

    /// S-16
    #[tokio::test]
    async fn gives_the_session_to_nobody_else() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let (server, _) = restart(server, [romeo], &[]).await;
        let (_, answer) = Client::try_resume(&server, "tybalt", &previd, "0").await;
        assert!(
            item_not_found(&answer) && answer.attr("h").is_none(),
            "{answer}"
        );
        Client::resume(&server, "romeo", &previd, 0).await;
    }

    #[tokio::test]
    async fn may_be_followed_by_another_one_before_the_client_is_back() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(ROMEO, "before").await;
        juliet.sync().await;
        let (server, _) = restart(server, [romeo, juliet], &[]).await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(ROMEO, "between").await;
        juliet.sync().await;
        let (server, _) = restart(server, [juliet], &[]).await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        assert_eq!(romeo.bodies().await, ["before", "between"]);
    }

    /// Rule 2 of the promise, in the next process.
    #[tokio::test]
    async fn leaves_a_session_that_nobody_resumes_to_expire_with_one_farewell() {
        let options = ["sm.resume_timeout=3s"];
        let server = TestServer::with(&options).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        befriend(&mut romeo, &mut juliet).await;
        romeo.enable_resumable().await;
        let hers = juliet.enable_resumable().await;
        let (server, _) = restart(server, [romeo, juliet], &options).await;
        let (mut juliet, _) = Client::resume(&server, "juliet", &hers, 0).await;
        juliet.chat(ROMEO, "where are you?").await;
        let farewell = juliet.next_named("presence").await;
        assert_eq!(farewell.attr("type"), Some("unavailable"));
        assert_eq!(farewell.attr("from"), Some(ROMEO));
        juliet.hears_nothing().await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        let stored = romeo.stored(1).await;
        assert_eq!(body(&stored[0]), "where are you?");
    }

    /// A message to two clients that one of them has acknowledged is not kept for the account.
    #[tokio::test]
    async fn remembers_which_copies_of_a_message_have_arrived() {
        let options = ["sm.resume_timeout=2s"];
        let server = TestServer::with(&options).await;
        let mut phone = Client::available_as(&server, "romeo", "phone").await;
        let mut desk = Client::available_as(&server, "romeo", "desk").await;
        phone.sync().await;
        phone.enable_resumable().await;
        desk.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat("romeo@example.org", "to both").await;
        juliet.sync().await;
        phone.next_named("message").await;
        phone.ack(1).await;
        phone.sync().await;
        juliet.chat("romeo@example.org", "to nobody yet").await;
        juliet.sync().await;
        let (server, _) = restart(server, [phone, desk, juliet], &options).await;
        server.sessions(0).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        let stored = romeo.stored(1).await;
        assert_eq!(body(&stored[0]), "to nobody yet");
        romeo.hears_nothing().await;
    }

    #[tokio::test]
    async fn tells_a_client_without_stream_management_that_the_server_stops() {
        let server = TestServer::start().await;
        let romeo = Client::available_as(&server, "romeo", "orchard").await;
        let (server, [heard]) = restart(server, [romeo], &[]).await;
        assert!(heard[0].contains("system-shutdown"), "{heard:?}");
        assert_eq!(server.server.sessions().len(), 0);
    }

    #[tokio::test]
    async fn ends_all_sessions_where_durability_is_memory() {
        let options = ["sm.durability=memory"];
        let server = TestServer::with(&options).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(ROMEO, "unacked").await;
        juliet.sync().await;
        let (server, [heard, _]) = restart(server, [romeo, juliet], &options).await;
        assert!(
            heard.iter().any(|text| text.contains("system-shutdown")),
            "{heard:?}"
        );
        let (mut romeo, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(item_not_found(&answer), "{answer}");
        romeo.bind(None).await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        assert_eq!(body(&romeo.stored(1).await[0]), "unacked");
    }
}

mod kill_9 {
    use super::*;

    const ALWAYS: &[&str] = &["sm.durability=always"];

    async fn login(process: &Process, name: &str, resource: &str) -> Client {
        let mut client = Client::over(Http::to(process.address).await).await;
        client.plain(name).await;
        client.bind(Some(resource)).await;
        client
    }

    async fn available(process: &Process, name: &str, resource: &str) -> Client {
        let mut client = login(process, name, resource).await;
        client
            .become_available(&format!("<presence xmlns='{CLIENT}'/>"))
            .await;
        client
    }

    async fn resume(process: &Process, name: &str, previd: &str, h_in: u32) -> (Client, Element) {
        let mut client = Client::over(Http::to(process.address).await).await;
        client.plain(name).await;
        let answer = client.ask_resume(previd, &h_in.to_string()).await;
        (client, answer)
    }

    #[tokio::test]
    async fn costs_nothing_that_was_acked_and_nothing_that_was_unacked() {
        let server = Process::start(ALWAYS).await;
        let mut romeo = available(&server, "romeo", "orchard").await;
        let mut juliet = login(&server, "juliet", "balcony").await;
        let his = romeo.enable_resumable().await;
        let hers = juliet.enable_resumable().await;
        for text in ["1", "2", "3"] {
            juliet.chat(ROMEO, text).await;
        }
        assert_eq!(juliet.ask_h().await, 3);
        for _ in 0..3 {
            romeo.next_named("message").await;
        }
        romeo.ack(1).await;
        romeo.ask_h().await;
        let server = server.crash(ALWAYS);
        let (mut romeo, resumed) = resume(&server, "romeo", &his, 1).await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(h(&resumed), 0);
        assert_eq!(romeo.bodies().await, ["2", "3"]);
        let (mut juliet, resumed) = resume(&server, "juliet", &hers, 0).await;
        assert_eq!(h(&resumed), 3);
        juliet.chat(ROMEO, "4").await;
        assert_eq!(juliet.ask_h().await, 4);
        assert_eq!(romeo.bodies().await, ["4"]);
    }

    #[tokio::test]
    async fn costs_no_message_that_was_stored_and_doubles_none_that_was_handed_over() {
        let server = Process::start(ALWAYS).await;
        let mut juliet = login(&server, "juliet", "balcony").await;
        let hers = juliet.enable_resumable().await;
        for text in ["1", "2"] {
            juliet.chat("romeo@example.org", text).await;
        }
        assert_eq!(juliet.ask_h().await, 2);
        let server = server.crash(ALWAYS);
        let (_juliet, resumed) = resume(&server, "juliet", &hers, 0).await;
        assert_eq!(h(&resumed), 2);
        let mut romeo = login(&server, "romeo", "orchard").await;
        let his = romeo.enable_resumable().await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        let stored = romeo.stored(2).await;
        assert_eq!(stored.iter().map(body).collect::<Vec<_>>(), ["1", "2"]);
        let server = server.crash(ALWAYS);
        // His own presence, then both.
        let (mut romeo, resumed) = resume(&server, "romeo", &his, 2).await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(romeo.bodies().await, ["2"]);
        romeo.ack(4).await;
        romeo.close().await;
        let mut romeo = login(&server, "romeo", "orchard").await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        romeo.next_named("presence").await;
        romeo.hears_nothing().await;
    }

    /// A client without stream management does not come back for its session.
    #[tokio::test]
    async fn ends_sessions_without_stream_management_and_tells_their_contacts() {
        let server = Process::start(ALWAYS).await;
        let mut romeo = available(&server, "romeo", "orchard").await;
        let mut juliet = available(&server, "juliet", "balcony").await;
        befriend(&mut romeo, &mut juliet).await;
        let hers = juliet.enable_resumable().await;
        juliet.ask_h().await;
        let server = server.crash(ALWAYS);
        let (mut juliet, resumed) = resume(&server, "juliet", &hers, 0).await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        let farewell = juliet.next_named("presence").await;
        assert_eq!(farewell.attr("from"), Some(ROMEO));
        assert_eq!(farewell.attr("type"), Some("unavailable"));
        juliet.hears_nothing().await;
    }

    /// What was saved once and taken up is not brought back as it was then.
    #[tokio::test]
    async fn does_not_bring_back_what_an_earlier_stop_had_saved() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let (server, _) = restart(server, [romeo], &[]).await;
        let TestServer { server, state } = server;
        drop(server); // the store is not told
        let server = TestServer::at(state, &[]).await;
        let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(item_not_found(&answer), "{answer}");
    }
}
