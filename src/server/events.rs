//! The event log: what became of each session, one JSON object a line.
//!
//! Sessions do not wait for the disk. They put their lines into a queue with a bound, and a thread
//! writes them. At the bound lines are lost, and the next line that is written says how many: so
//! who counts ends of sessions knows whether the count is whole.

use crate::auth::SaslFailure;
use crate::clock;
use crate::sessions::{Connection, Direction, EndReason, Observer, Session};
use crate::stanza::stamp;
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What may wait for the disk, in bytes of text. At the bound lines are lost.
pub const QUEUE_BYTES: usize = 4 << 20;

/// How often the operator is told that lines are lost.
const NOTE_INTERVAL: Duration = Duration::from_secs(10);

/// Writes events into a file, at its end. Add it to the observers of the sessions.
#[derive(Debug)]
pub struct EventLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    bound: usize,
    /// Told when there is something to do.
    bell: Condvar,
    lost: Counter,
}

#[derive(Debug, Default)]
struct Queue {
    /// Whole lines.
    text: String,
    lines: Count,
    /// What found the queue full; all of it comes after what is in it.
    lost: Count,
    reopen: bool,
    closed: bool,
}

/// So many lines, and so many of them of which kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    events: u64,
    opens: u64,
    closes: u64,
}

/// One line. All of them have the same fields, `null` where nothing is known, and more by `event`.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    session: Option<String>,
    jid: Option<&'a str>,
    endpoint: Option<&'a str>,
    path: Option<&'a str>,
    transport: Option<&'static str>,
    address: Option<String>,
    login: Option<&'a str>,
    data: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    sum: Option<Sum>,
}

/// What had gone through a session in this process.
#[derive(Serialize)]
struct Sum {
    seconds: u64,
    stanzas_in: u64,
    stanzas_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// A line about the log itself.
#[derive(Serialize)]
struct Remark {
    time: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closes: Option<u64>,
}

impl EventLog {
    /// Opens the file, for its owner alone if it has to be made, and writes that a process begins.
    /// `lost` counts lines that are lost.
    ///
    /// # Errors
    ///
    /// What the operating system says to the file or the thread.
    pub fn open(path: &Path, lost: Counter) -> io::Result<Self> {
        let (log, writer) = Self::prepare(path, lost, QUEUE_BYTES)?;
        log.start(writer)?;
        Ok(log)
    }

    fn prepare(path: &Path, lost: Counter, bound: usize) -> io::Result<(Self, Writer)> {
        let file = open(path)?;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            bound,
            bell: Condvar::new(),
            lost,
        });
        let writer = Writer::new(path.to_owned(), file, shared.clone());
        let log = Self {
            shared,
            writer: Mutex::default(),
        };
        Ok((log, writer))
    }

    fn start(&self, writer: Writer) -> io::Result<()> {
        let thread = std::thread::Builder::new().name("event-log".to_owned());
        let thread = thread.spawn(move || writer.run())?;
        *self.writer() = Some(thread);
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file anew: somebody may have moved the old one away.
    pub fn reopen(&self) {
        self.shared.lock().reopen = true;
        self.shared.bell.notify_one();
    }

    /// Writes what waits, and that the process ends. Blocks for as long as the disk takes; later
    /// events are lost.
    pub fn finish(&self) {
        self.close();
        let thread = self.writer().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.bell.notify_one();
    }

    fn write(&self, line: &Line<'_>) {
        let Ok(text) = serde_json::to_string(line) else {
            return; // nothing in it that JSON has not
        };
        let count = Count {
            events: 1,
            opens: u64::from(line.event == "open"),
            closes: u64::from(line.event == "close"),
        };
        self.shared.put(&text, count);
    }

    fn of_session(&self, event: &'static str, session: &Session, reason: Option<EndReason>) {
        let (connection, admission) = (session.connection(), session.admission());
        let link = connection.as_deref();
        self.write(&Line {
            session: Some(session.id().short()),
            jid: Some(session.jid().as_str()),
            login: admission.as_ref().and_then(|a| a.login.as_deref()),
            data: admission.as_ref().map(|a| &a.data),
            reason: reason.map(EndReason::as_str),
            sum: reason.map(|_| Sum::of(session)),
            ..Line::of_link(event, link)
        });
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.close(); // the thread writes what waits, and goes
    }
}

impl Observer for EventLog {
    fn opened(&self, session: &Arc<Session>) {
        self.of_session("open", session, None);
    }

    fn detached(&self, session: &Arc<Session>) {
        self.of_session("detached", session, None);
    }

    fn resumed(&self, session: &Arc<Session>) {
        self.of_session("resumed", session, None);
    }

    fn closed(&self, session: &Arc<Session>, reason: EndReason) {
        self.of_session("close", session, Some(reason));
    }

    fn login_refused(&self, connection: &Arc<Connection>, failure: &SaslFailure) {
        let admission = connection.admission.as_ref();
        self.write(&Line {
            jid: admission.and_then(|a| Some(a.jid.as_ref()?.as_str())),
            login: admission.and_then(|a| a.login.as_deref()),
            data: admission.map(|a| &a.data),
            // Not what the operator's log says of it: that may quote the client.
            reason: Some(failure.condition()),
            ..Line::of_link("login-refused", Some(connection))
        });
    }
}

impl<'a> Line<'a> {
    fn of_link(event: &'static str, link: Option<&'a Connection>) -> Self {
        Self {
            time: stamp(clock::time_of_day()),
            event,
            session: None,
            jid: None,
            endpoint: link.map(|link| &*link.endpoint),
            path: link.map(|link| &*link.path),
            transport: link.map(|link| link.transport.as_str()),
            address: link.map(|link| link.address.to_string()),
            login: None,
            data: None,
            reason: None,
            sum: None,
        }
    }
}

impl Sum {
    fn of(session: &Session) -> Self {
        let tally = session.tally();
        let lived = clock::now().saturating_duration_since(tally.since());
        Self {
            seconds: lived.as_secs(),
            stanzas_in: tally.stanzas(Direction::In),
            stanzas_out: tally.stanzas(Direction::Out),
            bytes_in: tally.bytes(Direction::In),
            bytes_out: tally.bytes(Direction::Out),
        }
    }
}

impl Count {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.opens += other.opens;
        self.closes += other.closes;
    }
}

impl Shared {
    fn put(&self, text: &str, count: Count) {
        let mut queue = self.lock();
        // Once a line is lost all are until that is told: so it is told where they are missing.
        let is_full = queue.text.len() + text.len() + 1 > self.bound;
        if queue.closed || is_full || queue.lost.events > 0 {
            queue.lost.add(count);
            self.lost.inc();
            return;
        }
        queue.text.push_str(text);
        queue.text.push('\n');
        queue.lines.add(count);
        drop(queue);
        self.bell.notify_one();
    }

    /// Nothing under this lock panics, and nobody holds it while something blocks.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn has_work(&self) -> bool {
        !self.text.is_empty() || self.lost.events > 0 || self.reopen || self.closed
    }
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    file: File,
    shared: Arc<Shared>,
    /// What is to be written before all that comes.
    pending: String,
    /// What is lost and not told yet.
    lost: Count,
    /// The disk refused what came last, and may have taken half of a line.
    torn: bool,
    noted_at: Option<Instant>,
}

impl Writer {
    fn new(path: PathBuf, file: File, shared: Arc<Shared>) -> Self {
        Self {
            path,
            file,
            shared,
            pending: remark("start", None),
            lost: Count::default(),
            torn: false,
            noted_at: None,
        }
    }

    fn run(mut self) {
        self.write(String::new(), Count::default());
        loop {
            let queue = self.next();
            if queue.reopen {
                self.reopen();
            }
            if !queue.text.is_empty() {
                self.write(queue.text, queue.lines);
            }
            if queue.lost.events > 0 {
                self.note("the disk is slower than events come", queue.lost.events);
                self.lost.add(queue.lost);
                self.write(String::new(), Count::default());
            }
            if queue.closed {
                self.write(remark("stop", None), Count::default());
                return;
            }
        }
    }

    fn next(&self) -> Queue {
        let mut queue = self.shared.lock();
        while !queue.has_work() {
            let bell = &self.shared.bell;
            queue = bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let closed = queue.closed;
        let taken = std::mem::take(&mut *queue);
        queue.closed = closed;
        taken
    }

    fn write(&mut self, text: String, lines: Count) {
        let mut all = std::mem::take(&mut self.pending);
        if self.torn {
            all.push('\n');
        }
        if self.lost.events > 0 {
            all.push_str(&remark("lost", Some(self.lost)));
        }
        all.push_str(&text);
        match self.file.write_all(all.as_bytes()) {
            Ok(()) => {
                self.lost = Count::default();
                self.torn = false;
            }
            Err(error) => {
                self.torn = true;
                self.lost.add(lines);
                self.shared.lost.inc_by(lines.events);
                self.note(&error.to_string(), lines.events);
            }
        }
    }

    fn reopen(&mut self) {
        match open(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "the event log stays open as it is");
            }
        }
    }

    fn note(&mut self, reason: &str, lost: u64) {
        let now = clock::now();
        let lately = |at: Instant| now.saturating_duration_since(at) < NOTE_INTERVAL;
        if self.noted_at.is_some_and(lately) {
            return;
        }
        self.noted_at = Some(now);
        tracing::error!(path = %self.path.display(), reason, lost, "the event log has lost lines");
    }
}

fn remark(event: &'static str, count: Option<Count>) -> String {
    let remark = Remark {
        time: stamp(clock::time_of_day()),
        event,
        count: count.map(|count| count.events),
        opens: count.map(|count| count.opens),
        closes: count.map(|count| count.closes),
    };
    let text = serde_json::to_string(&remark).unwrap_or_default();
    text + "\n"
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests;
