//! What an operator may set for BOSH sessions, and the terms that one session gets from it.

use std::time::Duration;

use super::body::Body;

/// The bounds that every BOSH session lives in.
///
/// Durations count in whole seconds on the wire; fractions are cut off there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Longest time that a request is held, whatever the client asks for as `wait`. Default 120 s.
    /// Longer means fewer requests; proxies commonly cut after 60 s. (XEP-0124 §7.1)
    pub max_wait: Duration,
    /// Most requests held at a time, whatever the client asks for as `hold`. Default 1, which is all
    /// that a client without pipelining can use. Each held request is an open HTTP request. (§7.1)
    pub max_hold: u8,
    /// How long a session stands without a request before it ends. Default 60 s. (§10)
    pub inactivity: Duration,
    /// The same for a session that polls (`wait` or `hold` is 0). Default 120 s; §12 wants it to
    /// exceed `inactivity` by more than `polling`.
    pub polling_inactivity: Duration,
    /// Shortest interval between empty requests. Default 5 s; zero announces and enforces none. (§11, §12)
    pub polling: Duration,
    /// Empty requests that may come sooner than `polling` before the session is ended; one more is
    /// forgiven every `polling`. Default 5: packets bunch up on bad networks. 0 is the letter of §12.
    pub polling_tolerance: u32,
    /// Longest pause that a client may ask for; longer ones are cut down. Default 120 s; zero announces
    /// none, and a request to pause then only releases the held requests. (§10)
    pub max_pause: Duration,
    /// How often one `rid` may be sent again before the session is ended. Default 32. (§14.3)
    pub max_repeats: u32,
    /// Most bytes of frames in one answer; a single larger frame still goes, alone. What is left goes
    /// into the next answer. Default 256 KiB. A session remembers up to `requests + 1` answers, so
    /// this times three is its largest replay buffer with `max_hold` 1.
    pub max_response_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_wait: Duration::from_secs(120),
            max_hold: 1,
            inactivity: Duration::from_secs(60),
            polling_inactivity: Duration::from_secs(120),
            polling: Duration::from_secs(5),
            polling_tolerance: 5,
            max_pause: Duration::from_secs(120),
            max_repeats: 32,
            max_response_bytes: 256 * 1024,
        }
    }
}

/// `wait` of a client that names none: what browsers' clients ask for.
const DEFAULT_WAIT_SECONDS: u64 = 60;

/// What one session was granted in its creation answer (XEP-0124 §7.2).
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub wait: Duration,
    pub hold: usize,
    /// `rid`s that the client may have open at a time; the size of the window.
    pub requests: u64,
    pub inactivity: Duration,
    pub polling: Duration,
    pub max_pause: Duration,
    /// The client acknowledges answers, and so do we requests (XEP-0124 §9).
    pub acks: bool,
    /// The client polls instead of waiting (XEP-0124 §12).
    pub is_polling: bool,
}

impl Terms {
    pub fn new(body: &Body, options: &Options) -> Self {
        let asked_wait = body.wait.unwrap_or(DEFAULT_WAIT_SECONDS);
        let wait_seconds = asked_wait.min(options.max_wait.as_secs());
        let hold = body.hold.unwrap_or(1).min(u64::from(options.max_hold));
        let is_polling = wait_seconds == 0 || hold == 0;
        Self {
            wait: Duration::from_secs(wait_seconds),
            hold: usize::try_from(hold).unwrap_or(0),
            requests: (hold + 1).max(2), // XEP-0124 §7.2: more than hold, and 2 is recommended
            inactivity: if is_polling {
                options.polling_inactivity
            } else {
                options.inactivity
            },
            polling: options.polling,
            max_pause: options.max_pause,
            acks: body.ack.is_some(),
            is_polling,
        }
    }

    /// How long a client that asks for `seconds` may be away.
    pub fn pause(&self, seconds: u64) -> Duration {
        if self.max_pause.is_zero() {
            return self.inactivity;
        }
        Duration::from_secs(seconds.max(1)).min(self.max_pause)
    }
}
