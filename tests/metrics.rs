//! `/metrics` and the event log (`log.events`) of a server that is a process of its own.

mod kit;

use kit::process::Process;
use kit::{CLIENT, Client, Http, SM, until};
use serde_json::Value;
use socket2::SockRef;
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;

/// A server with an admin port and an event log.
struct House {
    process: Process,
    admin: SocketAddr,
    events: tempfile::TempDir,
}

impl House {
    async fn open(options: &[&str]) -> Self {
        let events = tempfile::tempdir().expect("a directory");
        let admin = free_port();
        let log = format!("log.events={}", events.path().join("events").display());
        let listen = format!("listen.admin={admin}");
        let mut all = vec![&*log, &*listen];
        all.extend(options);
        let process = Process::start(&all).await;
        Self {
            process,
            admin,
            events,
        }
    }

    async fn login(&self, name: &str, resource: &str) -> Client {
        login_over(Http::to(self.process.address).await, name, resource).await
    }

    async fn figures(&self) -> Figures {
        let mut http = Http::to(self.admin).await;
        let response = http.get_of("localhost", "/metrics").await;
        assert_eq!(response.status, 200);
        let content_type = response.header("content-type").expect("a type");
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        Figures::read(response.text())
    }

    fn events(&self) -> Vec<Value> {
        events(&self.events.path().join("events"))
    }
}

/// Nobody else is given it for a while.
fn free_port() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address")
}

async fn login_over(http: Http, name: &str, resource: &str) -> Client {
    let mut client = Client::over(http).await;
    client.plain(name).await;
    client.bind(Some(resource)).await;
    client
}

fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("an event log");
    let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    text.lines().map(line).collect()
}

/// The samples by name and labels, as they are written.
struct Figures(HashMap<String, f64>);

impl Figures {
    /// Reads the text format strictly: each sample belongs to the figure of the last `# TYPE`, and
    /// none comes twice.
    fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let mut samples = HashMap::new();
        let (mut figure, mut kind) = (String::new(), String::new());
        let mut types = std::collections::HashSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                assert!(help.contains(' '), "{line}");
                continue;
            }
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, of_kind) = declared.split_once(' ').expect("a type");
                assert!(types.insert(name.to_owned()), "twice: {line}");
                assert!(
                    ["counter", "gauge", "histogram"].contains(&of_kind),
                    "{line}"
                );
                (figure, kind) = (name.to_owned(), of_kind.to_owned());
                continue;
            }
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let name = series.split('{').next().expect("a name");
            let suffix = name
                .strip_prefix(&*figure)
                .unwrap_or_else(|| panic!("{line}"));
            match &*kind {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
                _ => assert_eq!(suffix, "", "{line}"),
            }
            if let Some(labels) = series.strip_prefix(name).filter(|rest| !rest.is_empty()) {
                assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
            }
            let former = samples.insert(series.to_owned(), value);
            assert_eq!(former, None, "twice: {line}");
        }
        Self(samples)
    }

    /// The value of a series; 0 if there is none.
    fn get(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    fn stanzas(&self, direction: &str, kind: &str) -> f64 {
        self.get(&format!(
            "stanzad_stanzas_total{{endpoint=\"web\",direction=\"{direction}\",kind=\"{kind}\"}}"
        ))
    }

    fn bytes(&self, direction: &str, kind: &str) -> f64 {
        self.get(&format!(
            "stanzad_stanza_bytes_total{{endpoint=\"web\",direction=\"{direction}\",kind=\"{kind}\"}}"
        ))
    }
}

/// W9
#[tokio::test]
async fn w9_ten_stanzas_are_ten_more_in_and_out_with_their_bytes() {
    let house = House::open(&[]).await;
    let mut romeo = house.login("romeo", "orchard").await;
    let mut juliet = house.login("juliet", "balcony").await;
    juliet.sync().await;
    let before = house.figures().await;
    let message = format!(
        "<message xmlns='{CLIENT}' type='chat' to='juliet@example.org/balcony'><body>hm</body></message>"
    );
    for _ in 0..10 {
        romeo.send(&message).await;
    }
    for _ in 0..10 {
        juliet.next_named("message").await;
    }
    let after = house.figures().await;
    for direction in ["in", "out"] {
        let more = after.stanzas(direction, "message") - before.stanzas(direction, "message");
        assert_eq!(more, 10.0, "{direction}");
    }
    let bytes = after.bytes("in", "message") - before.bytes("in", "message");
    assert_eq!(bytes, (10 * message.len()) as f64);
    assert!(after.bytes("out", "message") - before.bytes("out", "message") > 0.0);
    assert_eq!(after.stanzas("in", "presence"), 0.0);
}

/// W9, O7
#[tokio::test]
async fn o7_sessions_and_links_are_counted_by_where_they_are_and_resumptions_by_what_came_of_them()
{
    let house = House::open(&[]).await;
    let attached = "stanzad_sessions{transport=\"websocket\",state=\"attached\"}";
    let hibernating = "stanzad_sessions{transport=\"websocket\",state=\"hibernating\"}";
    let resumption = |outcome| format!("stanzad_resumptions_total{{outcome=\"{outcome}\"}}");
    let mut romeo = house.login("romeo", "orchard").await;
    let previd = romeo.enable_resumable().await;
    let _juliet = house.login("juliet", "balcony").await;
    let figures = house.figures().await;
    assert_eq!(figures.get(attached), 2.0);
    assert_eq!(figures.get(hibernating), 0.0);
    assert_eq!(figures.get("stanzad_connections"), 2.0);
    let logins = "stanzad_logins_total{mechanism=\"PLAIN\",outcome=\"success\"}";
    assert_eq!(figures.get(logins), 2.0);
    drop(romeo);
    house.awaits(hibernating, 1.0).await;
    let mut romeo = Client::over(Http::to(house.process.address).await).await;
    romeo.plain("romeo").await;
    let unknown = romeo.ask_resume(&"0".repeat(32), "0").await;
    assert!(unknown.is("failed", SM), "{unknown}");
    let resumed = romeo.ask_resume(&previd, "0").await;
    assert!(resumed.is("resumed", SM), "{resumed}");
    let figures = house.figures().await;
    assert_eq!(figures.get(attached), 2.0);
    assert_eq!(figures.get("stanzad_sessions_detached_total"), 1.0);
    assert_eq!(figures.get(&resumption("resumed")), 1.0);
    assert_eq!(figures.get(&resumption("unknown")), 1.0);
    assert_eq!(figures.get(&resumption("over")), 0.0);
}

/// W9
#[tokio::test]
async fn w9_what_is_unacked_is_seen_with_its_age_until_its_ack_is_a_latency() {
    let house = House::open(&[]).await;
    let mut romeo = house.login("romeo", "orchard").await;
    romeo.enable("").await;
    let mut juliet = house.login("juliet", "balcony").await;
    for text in ["1", "2", "3"] {
        juliet.chat("romeo@example.org/orchard", text).await;
    }
    for _ in 0..3 {
        romeo.next_named("message").await;
    }
    let wait = Duration::from_millis(200);
    tokio::time::sleep(wait).await;
    let figures = house.figures().await;
    assert_eq!(figures.get("stanzad_unacked_stanzas"), 3.0);
    assert_eq!(figures.get("stanzad_unacked_stanzas_max"), 3.0);
    let age = figures.get("stanzad_unacked_oldest_seconds");
    assert!(age >= wait.as_secs_f64() && age < 20.0, "{age}");
    assert_eq!(figures.get("stanzad_ack_seconds_count"), 0.0);
    romeo.ack(2).await;
    romeo.ask_h().await;
    let figures = house.figures().await;
    assert_eq!(figures.get("stanzad_unacked_stanzas"), 1.0);
    assert_eq!(figures.get("stanzad_ack_seconds_count"), 1.0);
    let latency = figures.get("stanzad_ack_seconds_sum");
    assert!(latency >= wait.as_secs_f64() && latency < 20.0, "{latency}");
}

/// W9
#[tokio::test]
async fn w9_who_does_not_get_in_and_who_sends_too_much_is_counted_by_what_was_done() {
    let house = House::open(&[
        "limits.user_stanzas_per_second=1",
        "limits.user_stanzas_burst=5",
        "limits.user_excess=refuse",
    ])
    .await;
    let mut wrong = Client::over(Http::to(house.process.address).await).await;
    let failure = wrong.sasl("auth mechanism='PLAIN'", "\0romeo\0wrong").await;
    assert_eq!(kit::xmpp::failure(&failure), "not-authorized");
    let mut romeo = house.login("romeo", "orchard").await;
    for _ in 0..10 {
        romeo
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='get' id='x'><ping xmlns='urn:xmpp:ping'/></iq>"
            ))
            .await;
    }
    for _ in 0..10 {
        romeo.next_named("iq").await;
    }
    let figures = house.figures().await;
    let refused = "stanzad_logins_total{mechanism=\"PLAIN\",outcome=\"not-authorized\"}";
    assert_eq!(figures.get(refused), 1.0);
    let throttled = "stanzad_throttled_total{tier=\"account\",action=\"refused\"}";
    assert!(figures.get(throttled) >= 4.0, "{}", figures.get(throttled));
    let reads = "stanzad_store_seconds_count{operation=\"read\"}";
    assert!(figures.get(reads) >= 1.0);
    let events = house.events();
    let refusals = events.iter().filter(|e| e["event"] == "login-refused");
    let reasons: Vec<_> = refusals.map(|event| event["reason"].clone()).collect();
    assert_eq!(reasons, ["not-authorized"]);
}

impl House {
    /// Awaits that a figure has this value.
    async fn awaits(&self, series: &str, value: f64) {
        let began = tokio::time::Instant::now();
        while self.figures().await.get(series) != value {
            assert!(began.elapsed() < kit::PATIENCE, "{series} is never {value}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// How a client of the test goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Way {
    Closes,
    Resets,
    BreaksTheStream,
    /// As when its process is killed: the operating system closes.
    Dies,
    DiesAndMayComeBack,
    IsReplaced,
    StaysUntilTheStop,
}

const WAYS: [(Way, &str); 7] = [
    (Way::Closes, "closed"),
    (Way::Resets, "link-lost"),
    (Way::BreaksTheStream, "stream-error"),
    (Way::Dies, "link-lost"),
    (Way::DiesAndMayComeBack, "expired"),
    (Way::IsReplaced, "conflict"),
    (Way::StaysUntilTheStop, "shutdown"),
];

/// A client on a link that can be reset.
async fn guest(house: &House, way: Way, resource: &str) -> Client {
    let socket = TcpStream::connect(house.process.address).await;
    let socket = socket.expect("a connection");
    if way == Way::Resets {
        let linger = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        linger.expect("TCP");
    }
    let mut client = login_over(Http::over(Box::new(socket)), "romeo", resource).await;
    if way == Way::DiesAndMayComeBack {
        client.enable_resumable().await;
    }
    client
}

/// Lets it go its way. Returns who is still here.
async fn go(house: &House, way: Way, mut client: Client, resource: &str) -> Option<Client> {
    match way {
        Way::Closes => client.close().await,
        Way::Resets | Way::Dies | Way::DiesAndMayComeBack => drop(client),
        Way::BreaksTheStream => {
            client.send("<broken").await;
            client.ws.read_to_end().await;
        }
        Way::IsReplaced => {
            let successor = house.login("romeo", resource).await;
            successor.close().await;
        }
        Way::StaysUntilTheStop => return Some(client),
    }
    None
}

/// X2: opens are closes, each with its reason.
#[tokio::test]
async fn x2_a_hundred_sessions_that_end_in_every_way_are_each_in_the_event_log_once() {
    let mut house = House::open(&[
        "limits.sessions_per_user=200",
        "sm.max_hibernating_per_user=200",
        "sm.resume_timeout=1s",
        "sm.durability=memory",
    ])
    .await;
    let mut guests = Vec::new();
    for number in 0..100 {
        let (way, reason) = WAYS[number % WAYS.len()];
        let resource = format!("r{number}");
        let client = guest(&house, way, &resource).await;
        guests.push((way, reason, resource, client));
    }
    let mut expected = BTreeMap::new();
    let mut staying = Vec::new();
    for (way, reason, resource, client) in guests {
        expected.insert(format!("romeo@example.org/{resource}"), reason);
        staying.extend(go(&house, way, client, &resource).await);
    }
    let stays = staying.len() as f64;
    let here = "stanzad_sessions{transport=\"websocket\",state=\"attached\"}";
    house.awaits(here, stays).await;
    let hibernating = "stanzad_sessions{transport=\"websocket\",state=\"hibernating\"}";
    house.awaits(hibernating, 0.0).await;
    let figures = house.figures().await;
    let opened = figures.get("stanzad_sessions_opened_total{transport=\"websocket\"}");
    let ended = |reason| {
        figures.get(&format!(
            "stanzad_sessions_ended_total{{reason=\"{reason}\"}}"
        ))
    };
    assert_eq!(opened, 114.0, "a hundred, and who took a place");
    assert_eq!(ended("link-lost"), 29.0);
    assert_eq!(figures.get("stanzad_events_lost_total"), 0.0);
    let all = staying.into_iter().map(|mut client| {
        tokio::spawn(async move {
            client.ws.read_to_end().await;
        })
    });
    let all: Vec<_> = all.collect();
    house.process.terminate().await;
    for one in all {
        one.await.expect("an end");
    }
    check(&house.events(), &expected);
}

/// Every session that was opened is closed once, with its reason; the log is whole.
fn check(events: &[Value], expected: &BTreeMap<String, &str>) {
    let of = |wanted: &str| -> Vec<_> {
        let found = events.iter().filter(|event| event["event"] == wanted);
        found.collect()
    };
    let (opens, closes) = (of("open"), of("close"));
    assert_eq!((opens.len(), closes.len()), (114, 114));
    assert_eq!(of("lost").len(), 0);
    let mut reasons = HashMap::new();
    for close in closes {
        let session = close["session"].as_str().expect("an id").to_owned();
        let former = reasons.insert(session, close["reason"].as_str().expect("a reason"));
        assert_eq!(former, None, "twice: {close}");
    }
    let mut seen = std::collections::HashSet::new();
    for open in opens {
        let (session, jid) = (open["session"].as_str(), open["jid"].as_str());
        let reason = reasons[session.expect("an id")];
        let jid = jid.expect("an address");
        // Who came second at an address replaced the first, and closed.
        let wanted = match seen.insert(jid.to_owned()) {
            true => expected[jid],
            false => "closed",
        };
        assert_eq!(reason, wanted, "{open}");
    }
    assert_eq!(seen.len(), expected.len());
    assert_eq!(events[0]["event"], "start");
    assert_eq!(events.last().expect("a line")["event"], "stop");
}

/// X2, E5: a session that outlives the process is opened in the log of one process and closed in
/// that of the next one, and the log goes on.
#[tokio::test]
async fn x2_a_session_that_outlives_the_process_is_closed_by_the_next_one() {
    let events_dir = tempfile::tempdir().expect("a directory");
    let path = events_dir.path().join("events");
    let log = format!("log.events={}", path.display());
    let options = [&*log, "sm.resume_timeout=2s"];
    let process = Process::start(&options).await;
    let http = Http::to(process.address).await;
    let mut romeo = login_over(http, "romeo", "orchard").await;
    romeo.enable_resumable().await;
    let gone = tokio::spawn(async move {
        romeo.ws.read_to_end().await;
    });
    let state = process.stop().await;
    gone.await.expect("an end");
    let _next = Process::over(state, &options);
    until("the end of the session", || {
        events(&path).iter().any(|event| event["event"] == "close")
    })
    .await;
    let events = events(&path);
    let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(
        names,
        ["start", "open", "detached", "stop", "start", "close"]
    );
    assert_eq!(events[5]["session"], events[1]["session"]);
    assert_eq!(events[5]["reason"], "expired");
    assert_eq!(events[5]["address"], Value::Null);
}
