//! What the lines say, and what is said of those that are lost.

use super::*;
use crate::auth::{Admission, ChannelBinding, SaslFailure};
use crate::sessions::{Bind, Sessions, SessionsOptions, Transport};
use crate::stanza::address::FullJid;
use crate::stream::Sm;
use serde_json::Value;
use std::net::IpAddr;
use tempfile::TempDir;

struct Desk {
    dir: TempDir,
    log: Arc<EventLog>,
    lost: Counter,
}

impl Desk {
    fn new() -> Self {
        let (desk, writer) = Self::idle(QUEUE_BYTES);
        desk.log.start(writer).unwrap();
        desk
    }

    /// Nothing is written before the writer is started.
    fn idle(bound: usize) -> (Self, Writer) {
        let dir = tempfile::tempdir().unwrap();
        let lost = Counter::default();
        let path = dir.path().join("events");
        let (log, writer) = EventLog::prepare(&path, lost.clone(), bound).unwrap();
        let log = Arc::new(log);
        (Self { dir, log, lost }, writer)
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("events")
    }

    fn sessions(&self) -> Sessions {
        let mut sessions = Sessions::new(SessionsOptions {
            sessions_per_user: 1000,
            send_queue: 10,
            send_queue_bytes: 10_000,
            max_unacked: 10,
            max_hibernating_per_user: 10,
            repeat_window: 0,
        });
        sessions.add_observer(self.log.clone());
        sessions
    }

    /// All lines, once the last one is written.
    fn lines(&self) -> Vec<Value> {
        self.log.finish();
        lines(&self.path())
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn link() -> Arc<Connection> {
    let data = BTreeMap::from([("room".to_owned(), "\"verona\"\n".to_owned())]);
    let admission = Admission {
        login: Some("web-17".to_owned()),
        data,
        ..Admission::default()
    };
    Arc::new(Connection {
        transport: Transport::Bosh,
        subprotocol: None,
        endpoint: "web".into(),
        path: "/bind".into(),
        query: "room=1&theme=dark".into(),
        admission: Some(Arc::new(admission)),
        address: IpAddr::from([192, 0, 2, 7]),
        on_this_machine: false,
        private: false,
        binding: ChannelBinding::default(),
    })
}

fn bind(sessions: &Sessions, resource: &str) -> Arc<Session> {
    let jid = FullJid::new(&format!("romeo@example.org/{resource}")).unwrap();
    match sessions.bind(jid) {
        Bind::Bound(session) => session,
        other => panic!("{other:?}"),
    }
}

/// E5, W9
#[test]
fn e5_each_line_has_all_that_is_known_and_nothing_of_the_query() {
    let desk = Desk::new();
    let sessions = desk.sessions();
    let session = bind(&sessions, "orchard");
    sessions.opened(&session, link());
    let sm = Box::new(Sm::new(0, Some(Duration::from_secs(60))));
    sessions.hibernate(&session, sm, clock::now());
    let ended = sessions.end(&session, EndReason::Revoked);
    assert!(ended.is_some());
    let lines = desk.lines();
    let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["start", "open", "detached", "close", "stop"]);
    for line in &lines[1..4] {
        assert_eq!(line["session"], session.id().short());
        assert_eq!(line["jid"], "romeo@example.org/orchard");
        assert_eq!(line["endpoint"], "web");
        assert_eq!(line["path"], "/bind");
        assert_eq!(line["transport"], "bosh");
        assert_eq!(line["address"], "192.0.2.7");
        assert_eq!(line["login"], "web-17");
        assert_eq!(line["data"]["room"], "\"verona\"\n");
        let time = line["time"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert!(!line.to_string().contains("theme"), "{line}");
        let whole_id = session.id().to_string();
        assert!(!line.to_string().contains(&whole_id), "{line}");
    }
    assert_eq!(lines[3]["reason"], "revoked");
    assert_eq!(lines[3]["stanzas_in"], 0);
    assert!(lines[1].get("reason").is_none());
}

/// W9
#[test]
fn w9_who_does_not_get_in_is_named_by_where_it_came_from_and_not_by_what_it_said() {
    let desk = Desk::new();
    let sessions = desk.sessions();
    let authzid = "a-token-or-whatever".to_owned();
    let failure = SaslFailure::InvalidAuthzid { authzid };
    sessions.login_refused(&link(), &failure);
    let lines = desk.lines();
    assert_eq!(lines[1]["event"], "login-refused");
    assert_eq!(lines[1]["reason"], "invalid-authzid");
    assert_eq!(lines[1]["address"], "192.0.2.7");
    assert_eq!(lines[1]["session"], Value::Null);
    assert!(!lines[1].to_string().contains("a-token"), "{}", lines[1]);
}

/// X2
#[test]
fn x2_ends_that_were_lost_are_counted_on_the_next_line() {
    let (desk, writer) = Desk::idle(20_000);
    let sessions = desk.sessions();
    let all: Vec<_> = (0..500).map(|n| bind(&sessions, &n.to_string())).collect();
    for session in &all {
        sessions.opened(session, link());
    }
    for session in &all {
        sessions.close(session, None, EndReason::Closed);
    }
    desk.log.start(writer).unwrap();
    let lines = desk.lines();
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count() as u64;
    let lost = |field: &str| -> u64 {
        let told = lines.iter().filter(|line| line["event"] == "lost");
        told.map(|line| line[field].as_u64().unwrap()).sum()
    };
    assert_eq!(lost("closes"), 500, "the queue was too long for this test");
    assert_eq!(count("open") + lost("opens"), 500);
    assert_eq!(count("close") + lost("closes"), 500);
    assert_eq!(lost("count"), desk.lost.get());
    let last: Vec<_> = lines.iter().rev().take(2).collect();
    assert_eq!(
        (&last[1]["event"], &last[0]["event"]),
        (&"lost".into(), &"stop".into())
    );
}

#[test]
fn a_file_that_was_moved_away_is_made_anew_when_it_is_opened_again() {
    let desk = Desk::new();
    let sessions = desk.sessions();
    sessions.opened(&bind(&sessions, "a"), link());
    let old = desk.dir.path().join("events.1");
    let deadline = Instant::now() + Duration::from_secs(20);
    while lines(&desk.path()).len() < 2 {
        assert!(Instant::now() < deadline, "nothing is written");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::rename(desk.path(), &old).unwrap();
    desk.log.reopen();
    sessions.opened(&bind(&sessions, "b"), link());
    let new = desk.lines();
    assert_eq!(lines(&old).len(), 2);
    assert_eq!(new[0]["jid"], "romeo@example.org/b");
}

#[test]
fn a_file_that_is_made_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let mode = std::fs::metadata(desk.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A device that takes nothing.
#[cfg(target_os = "linux")]
#[test]
fn what_the_disk_refuses_is_lost_and_counted() {
    let lost = Counter::default();
    let log = EventLog::open(Path::new("/dev/full"), lost.clone()).unwrap();
    log.login_refused(&link(), &SaslFailure::Aborted);
    log.finish();
    assert_eq!(lost.get(), 1);
}
