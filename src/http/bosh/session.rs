//! The task of one BOSH session.
//!
//! It has two lives. [`Attached`]: requests on one side, the stream on the other. When the stream
//! is over, what stands behind it is dealt with at once, since others may wait for its resource;
//! the window alone then tells a client that has no request open why its session ended.

use super::directory::Seat;
use super::front::Front;
use crate::http::departure::{Farewell, Stopping};
use crate::http::driver::Driver;
use crate::stream::bosh::{Condition, Ended, Input};
use crate::stream::{OpenRequest, Transmit};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// So much may wait for a client that does not fetch it; the rest stays in the mailbox.
const MAX_QUEUED_BYTES: usize = 64 * 1024;

/// From here on a client that sends faster than the backend takes is slowed down.
const BACKLOG_SOFT_BYTES: usize = 64 * 1024;

/// From here on it is not obeying the window: its session ends.
const BACKLOG_HARD_BYTES: usize = 4 * 1024 * 1024;

/// How long a client without an open request may still learn that the server stops: its next
/// request is due within a round trip, or not soon.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// How many frames are fed before everything else has its turn.
const FEED_BATCH: usize = 64;

/// Runs one session to its end. `open` is what its creation request asked for.
pub(super) async fn run(
    front: Front,
    driver: Driver,
    open: OpenRequest,
    seat: Seat,
    mut stopping: Stopping,
) {
    let mut attached = Attached::new(front, driver, open, seat);
    {
        let mut my_turn = pin!(stopping.my_turn());
        poll_fn(|cx| attached.poll(cx, my_turn.as_mut())).await;
    }
    let Attached {
        mut front,
        mut driver,
        seat,
        ..
    } = attached;
    log_end(&seat, front.window.ended());
    let undelivered = front.window.withdraw();
    driver.give_back(&undelivered);
    driver.finish().await;
    let farewell = async {
        stopping.begun().await;
        tokio::time::sleep(FAREWELL_TIMEOUT).await;
    };
    tokio::select! {
        biased;
        () = poll_fn(|cx| front.poll_rest(cx)) => {}
        () = farewell => {}
    }
}

fn log_end(seat: &Seat, ended: Option<Ended>) {
    let sid = seat.sid().short();
    match ended {
        Some(Ended::Violation(violation)) => {
            tracing::info!(sid, reason = %violation, "BOSH session ended by its client's fault");
        }
        Some(ended) => tracing::debug!(sid, ?ended, "BOSH session ended"),
        None => tracing::debug!(sid, "BOSH session is told its end"),
    }
}

struct Attached {
    front: Front,
    driver: Driver,
    seat: Seat,
    /// The version of the stream that the client named at first.
    version: Option<String>,
    /// What the client sent and the stream has not been fed.
    backlog: VecDeque<Input>,
    backlog_bytes: usize,
    /// The stream said its last.
    is_closed: bool,
}

impl Attached {
    fn new(front: Front, mut driver: Driver, open: OpenRequest, seat: Seat) -> Self {
        driver.on_open(crate::clock::now(), &open);
        Self {
            front,
            driver,
            seat,
            version: open.version,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            is_closed: false,
        }
    }

    /// One turn of everything; ready when the stream is over, and what the client sent is dealt
    /// with.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stopping: Pin<&mut impl Future<Output = Farewell>>,
    ) -> Poll<()> {
        let now = crate::clock::now();
        if !self.driver.is_closing()
            && let Poll::Ready(farewell) = stopping.poll(cx)
        {
            self.driver.leave(now, farewell);
        }
        self.front.take_requests(cx, now);
        self.front.on_time(now);
        self.move_everything(cx, now);
        if self.is_done() {
            return Poll::Ready(());
        }
        let deadline = self.next_deadline();
        self.front.wake_at(cx, deadline);
        Poll::Pending
    }

    fn move_everything(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut feeds_left = FEED_BATCH;
        loop {
            self.take_inputs();
            self.driver.poll(cx, now, self.is_writable());
            let said = self.take_transmits();
            let fed = feeds_left > 0 && self.feed(now);
            feeds_left -= usize::from(fed);
            let answered = !fed && self.answer(now);
            if !said && !fed && !answered {
                break;
            }
        }
        if feeds_left == 0 {
            cx.waker().wake_by_ref();
        }
        let queued_bytes = self.front.window.queued_bytes();
        self.driver.set_queued_bytes(queued_bytes);
    }

    /// Mail is fetched for a request that can carry it, and otherwise stays where its senders see
    /// how much waits.
    fn is_writable(&self) -> bool {
        let window = &self.front.window;
        window.wants_output() && window.queued_bytes() < MAX_QUEUED_BYTES
    }

    fn take_inputs(&mut self) {
        while let Some(input) = self.front.window.poll_input() {
            self.backlog_bytes += size_bytes(&input);
            self.backlog.push_back(input);
        }
        let window = &mut self.front.window;
        window.set_congested(self.backlog_bytes > BACKLOG_SOFT_BYTES);
        if self.backlog_bytes > BACKLOG_HARD_BYTES {
            window.end(Some(Condition::PolicyViolation));
        }
    }

    /// Feeds one input, if the stream wants one. Returns whether it did.
    fn feed(&mut self, now: Instant) -> bool {
        if self.driver.is_closing() {
            self.backlog.clear(); // RFC 6120 §4.4: nothing is processed after our close
            self.backlog_bytes = 0;
        }
        if !self.driver.wants_frame() {
            return false;
        }
        let Some(input) = self.backlog.pop_front() else {
            return false;
        };
        self.backlog_bytes -= size_bytes(&input);
        match input {
            Input::Frame(frame) => self.driver.on_frame(now, &frame),
            Input::Restart { to, .. } => {
                let version = self.version.clone();
                self.driver.on_open(now, &OpenRequest { to, version });
            }
            Input::Terminate => self.driver.on_close(),
        }
        if self.driver.is_authenticated() {
            self.seat.on_authenticated();
        }
        true
    }

    /// Hands what the stream has to say to the window. Returns whether there was something.
    fn take_transmits(&mut self) -> bool {
        let window = &mut self.front.window;
        let mut any = false;
        while let Some(transmit) = self.driver.poll_transmit() {
            any = true;
            match transmit {
                // The creation answer said it, and a restart says nothing (XEP-0206 §5).
                // A redirection is a matter of WebSocket.
                Transmit::Open { .. } | Transmit::Redirect(_) => {}
                Transmit::Element(text) | Transmit::Transcoded(text) => window.push(&*text),
                Transmit::Error(text) => window.on_stream_error(&*text),
                Transmit::Leave => {
                    window.end(Some(Condition::SystemShutdown));
                    self.is_closed = true;
                }
                Transmit::Close(_) => {
                    window.end(None);
                    self.is_closed = true;
                }
            }
        }
        if self.driver.is_authenticated() {
            self.seat.on_authenticated();
        }
        any
    }

    fn answer(&mut self, now: Instant) -> bool {
        !self.is_leaving() && self.front.answer(now)
    }

    /// The client says goodbye after something that the backend has not taken yet: the answers to
    /// that still travel in the requests before the last (XEP-0124 §13).
    fn is_leaving(&self) -> bool {
        self.backlog.back() == Some(&Input::Terminate)
    }

    /// What a client sent before it was gone is still dealt with, as long as the stream lives:
    /// without stream management it will not come again.
    fn is_done(&self) -> bool {
        let is_over = self.front.window.is_over();
        if is_over {
            self.seat.leave();
        }
        self.is_closed || (is_over && self.backlog.is_empty())
    }

    fn next_deadline(&self) -> Option<Instant> {
        // Nothing of the window can be due while its answers are kept back.
        let window = self.front.window.poll_timeout();
        let window = window.filter(|_| !self.is_leaving());
        let both = [window, self.driver.poll_timeout()];
        both.into_iter().flatten().min()
    }
}

fn size_bytes(input: &Input) -> usize {
    match input {
        Input::Frame(frame) => frame.len(),
        Input::Restart { .. } | Input::Terminate => 0,
    }
}
