//! What `sm.durability = "always"` costs, and what another log structure could save.
//!
//! `cargo bench --bench journal`: as many sessions as asked for send a stanza each, wait until it
//! is on disk, and send the next one. Each stanza is three records: handled, queued, arrived. The
//! same records go (1) into the tables of the store, as the server does it, and (2) to the end of
//! a bare file that is only written and synced: the least that any log would have to do, without
//! replay, compaction, or one commit together with the offline messages.

mod kit;

use stanzad::store::journal::{Journal, Record, SavedSm, SavedStanza};
use stanzad::store::{Journaling, Sqlite, Store};
use std::future::poll_fn;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

const SPAN: Duration = Duration::from_secs(3);
/// The same where only this is asked, whether it runs.
const SPAN_OF_A_TEST: Duration = Duration::from_millis(50);
const STANZA_BYTES: usize = 300;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("log     sessions  stanzas/s  commits/s  stanzas/commit  CPU µs/stanza");
    for sessions in [1, 10, 100, 1000] {
        let directory = tempfile::tempdir_in(".").expect("a directory on the disk to measure");
        let path = directory.path().join("stanzad.sqlite");
        runtime.block_on(async {
            let store = Sqlite::open_with(&path, &[], Journaling::On).expect("a store");
            let journal = store.journal().expect("a journal");
            measure("tables", sessions, &journal, || None).await;
            store.close().await.expect("a closed store");
        });
        let bare = bare_log(&directory.path().join("bare.log"));
        let commits = bare.commits.clone();
        let count = move || Some(*commits.lock().expect("a count"));
        runtime.block_on(measure("bare", sessions, &bare.journal, count));
        bare.stop();
    }
}

async fn measure(
    name: &str,
    sessions: u128,
    journal: &Arc<Journal>,
    commits: impl Fn() -> Option<u64>,
) {
    let span = if kit::is_measuring() {
        SPAN
    } else {
        SPAN_OF_A_TEST
    };
    let (cpu, began) = (cpu_time(), Instant::now());
    let tasks: Vec<_> = (1..=sessions)
        .map(|session| tokio::spawn(converse(journal.clone(), session, began + span)))
        .collect();
    let (mut stanzas, mut waits) = (0, 0.0);
    for task in tasks {
        let (count, wait) = task.await.expect("a count");
        stanzas += count;
        waits += wait.as_secs_f64();
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_time() - cpu);
    // The store does not count its commits; each session waits for one or two a stanza.
    let commits = match commits() {
        None => format!("~{:.0}", (stanzas as f64 / waits).max(1.0)),
        Some(count) => format!("{:.0}", count as f64 / seconds),
    };
    let rate = stanzas as f64 / seconds;
    let each = cpu.as_secs_f64() * 1e6 / stanzas as f64;
    let together = rate
        / commits
            .trim_start_matches('~')
            .parse::<f64>()
            .expect("a number");
    println!("{name:7} {sessions:8}  {rate:9.0}  {commits:>9}  {together:14.1}  {each:13.1}");
}

/// One session: a stanza in, the same out, acknowledged; until the time is over.
async fn converse(journal: Arc<Journal>, session: u128, until: Instant) -> (u64, Duration) {
    let jid = format!("romeo@example.org/{session}")
        .parse()
        .expect("an address");
    journal.append(Record::Bound { session, jid });
    let sm = SavedSm::default();
    journal.append(Record::Managed { session, sm });
    let text: String = "x".repeat(STANZA_BYTES);
    let text = stanzad::stanza::ByteString::from(text);
    let (mut number, mut waited) = (0, Duration::ZERO);
    while Instant::now() < until {
        number += 1;
        let unit = journal.unit();
        journal.append(Record::Queued {
            session,
            stanza: SavedStanza {
                number,
                text: text.clone(),
                at: SystemTime::now(),
                copies: None,
            },
        });
        journal.append(Record::Handled {
            session,
            h: number as u32,
        });
        drop(unit);
        let position = journal.position();
        let began = Instant::now();
        poll_fn(|cx| journal.poll_durable(cx, position)).await;
        waited += began.elapsed();
        journal.append(Record::Arrived {
            session,
            through: number,
            acked: number as u32,
            has_copies: false,
        });
    }
    (number, waited)
}

struct Bare {
    journal: Arc<Journal>,
    commits: Arc<Mutex<u64>>,
    stop: std::sync::mpsc::SyncSender<bool>,
    thread: std::thread::JoinHandle<()>,
}

impl Bare {
    fn stop(self) {
        self.stop.send(false).expect("a writer");
        self.thread.join().expect("a writer that ends");
    }
}

fn bare_log(path: &std::path::Path) -> Bare {
    let (stop, bell) = std::sync::mpsc::sync_channel(1024);
    let ring = stop.clone();
    let wake = Box::new(move || {
        let _ = ring.try_send(true);
    });
    let journal = Arc::new(Journal::new(1, wake));
    let commits = Arc::new(Mutex::new(0));
    let mut file = std::fs::File::create(path).expect("a file");
    let thread = std::thread::spawn({
        let (journal, commits) = (journal.clone(), commits.clone());
        move || {
            while bell.recv() == Ok(true) {
                let taken = journal.take();
                if taken.records.is_empty() {
                    continue;
                }
                let mut bytes = Vec::new();
                taken
                    .records
                    .iter()
                    .for_each(|record| encode(record, &mut bytes));
                file.write_all(&bytes).expect("room");
                file.sync_data().expect("a disk");
                *commits.lock().expect("a count") += 1;
                journal.settle(taken.position);
            }
        }
    });
    Bare {
        journal,
        commits,
        stop,
        thread,
    }
}

/// Length, number, session and what there is of text: as small as a log could make it.
fn encode(record: &Record, bytes: &mut Vec<u8>) {
    let (session, number, text) = match record {
        Record::Queued { session, stanza } => (session, stanza.number, &**stanza.text.as_bytes()),
        Record::Handled { session, h } => (session, u64::from(*h), &b""[..]),
        Record::Arrived {
            session, through, ..
        } => (session, *through, &b""[..]),
        Record::Bound { session, jid } => (session, 0, jid.as_str().as_bytes()),
        Record::Managed { session, .. } => (session, 0, &b""[..]),
        other => panic!("{other:?} is not measured"),
    };
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(session.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend(text);
}

/// What this process has spent, all threads together.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|f| f.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}
