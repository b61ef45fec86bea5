//! The side of a session's task that faces its HTTP requests.

use crate::stream::bosh::{Body, RequestToken, Response, Window};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

/// How many requests may wait for the task of their session: more than any window, so that only a
/// flood is refused.
pub(super) const REQUEST_QUEUE: usize = 16;

/// One POST on its way to the task of its session.
#[derive(Debug)]
pub(super) struct Request {
    pub body: Body,
    /// Where its answer goes; closed when its HTTP connection is gone.
    pub reply: oneshot::Sender<Response>,
}

/// A window and the requests that wait for its answers.
pub(super) struct Front {
    pub window: Window,
    requests: mpsc::Receiver<Request>,
    /// Bound: what the window holds, and it answers everything else at once.
    waiting: Vec<(RequestToken, oneshot::Sender<Response>)>,
    next_token: u64,
    sleep: Pin<Box<Sleep>>,
}

/// The token of the creation request.
pub(super) const FIRST: RequestToken = RequestToken(0);

impl Front {
    /// `window` was created by [`FIRST`], whose answer goes to `reply`.
    pub fn new(
        window: Window,
        reply: oneshot::Sender<Response>,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            window,
            requests,
            waiting: vec![(FIRST, reply)],
            next_token: FIRST.0 + 1,
            sleep: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
        }
    }

    /// Takes what came, and notes which requests are lost.
    pub fn take_requests(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut left = REQUEST_QUEUE;
        while left > 0
            && let Poll::Ready(Some(request)) = self.requests.poll_recv(cx)
        {
            left -= 1;
            let token = RequestToken(self.next_token);
            self.next_token += 1;
            self.waiting.push((token, request.reply));
            self.window.on_request(now, token, request.body);
        }
        if left == 0 {
            cx.waker().wake_by_ref();
        }
        self.drop_lost(cx, now);
    }

    fn drop_lost(&mut self, cx: &mut Context<'_>, now: Instant) {
        let window = &mut self.window;
        self.waiting.retain_mut(|(token, reply)| {
            let is_lost = reply.poll_closed(cx).is_ready();
            if is_lost {
                window.on_request_lost(now, *token);
            }
            !is_lost
        });
    }

    /// Gives the answers that are due. Returns whether there were any.
    pub fn answer(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some((token, response)) = self.window.poll_response(now) {
            any = true;
            let place = self.waiting.iter().position(|(other, _)| *other == token);
            let Some(place) = place else { continue };
            let (_, reply) = self.waiting.swap_remove(place);
            if reply.send(response).is_err() {
                self.window.on_request_lost(now, token);
            }
        }
        any
    }

    /// Calls the window if its time has come.
    pub fn on_time(&mut self, now: Instant) {
        if self.window.poll_timeout().is_some_and(|due| due <= now) {
            self.window.on_timeout(now);
        }
    }

    /// Has the task woken at `deadline`.
    pub fn wake_at(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        self.sleep.as_mut().reset(deadline.into());
        if self.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref(); // it has passed already: everything has another turn
        }
    }

    /// One turn of a session that has nothing behind it any more: ready when all is said.
    pub fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = crate::clock::now();
        self.take_requests(cx, now);
        self.on_time(now);
        while self.window.poll_input().is_some() {}
        self.answer(now);
        if self.window.is_over() {
            return Poll::Ready(());
        }
        self.wake_at(cx, self.window.poll_timeout());
        Poll::Pending
    }
}
