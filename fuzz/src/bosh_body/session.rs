//! One session, with a client that may do everything but lie about what it read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use stanzad::stream::bosh::{
    Body, Condition, Input as FromClient, MAX_RID, Options, RequestToken, Response, Window,
};

use super::answers::Answers;
use crate::input::Input;

const STEPS_MAX: usize = 200;
const CHAIN_LEN: usize = 256;

/// Keys for a whole session (XEP-0124 §15): each is the hash of the one after it.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut keys = vec!["seed".to_owned()];
    for i in 0..CHAIN_LEN {
        let digest = Sha1::digest(keys[i].as_bytes());
        keys.push(digest.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    keys.reverse();
    keys
});

/// Plays a session to its end.
pub fn run(input: &mut Input<'_>) {
    let Some(mut session) = Session::new(input) else {
        return;
    };
    for _ in 0..STEPS_MAX {
        if input.is_empty() || session.window.is_over() {
            break;
        }
        session.step(input);
        session.settle();
    }
    session.come_to_an_end();
}

/// A session near the end of the numbers, and a few requests in order.
pub fn prologue(before_last: u8) -> Vec<u8> {
    let mut bytes = vec![1, 1, before_last];
    bytes.extend([60, 1, 0, 0, 3, 1]); // wait, hold, acks, keys, polling, maximal size
    for n in 0..6 {
        bytes.extend([6, 0, 0, n % 3, 0, 3, n % 2]);
    }
    bytes
}

struct Session {
    window: Window,
    now: Instant,
    first_rid: u64,
    next_rid: u64,
    uses_keys: bool,
    next_token: u64,
    /// Requests that have no answer yet.
    open: BTreeSet<RequestToken>,
    /// The `rid` of each request.
    rids: BTreeMap<RequestToken, u64>,
    /// What was pushed, in number.
    pushed: u32,
    answers: Answers,
    /// The place of the last payload that went to the stream.
    last_payload: Option<(u64, usize)>,
    /// Which request brought the payload of a `rid`.
    payload_of: BTreeMap<u64, RequestToken>,
    has_ended: bool,
}

impl Session {
    fn new(input: &mut Input<'_>) -> Option<Self> {
        let now = Instant::now();
        let first_rid = match input.below(2) {
            0 => 1000,
            _ => MAX_RID - u64::from(input.byte()),
        };
        let (wait, hold) = (u64::from(input.byte()), u64::from(input.below(4)));
        let (acks, uses_keys) = (input.once_in(2), input.once_in(3));
        let options = Options {
            max_hold: 3,
            polling: Duration::from_secs(u64::from(input.below(6))),
            max_response_bytes: 1 + usize::from(input.below(4)) * 40,
            max_repeats: 4,
            ..Options::default()
        };
        let body = Body {
            rid: first_rid,
            to: Some("example.org".into()),
            wait: Some(wait),
            hold: Some(hold),
            ack: acks.then_some(1),
            newkey: uses_keys.then(|| KEYS[0].clone()),
            ..Body::default()
        };
        let token = RequestToken(0);
        let window = Window::create(now, "sid", "example.org", token, body, &options).ok()?;
        let mut session = Self {
            window,
            now,
            first_rid,
            next_rid: first_rid + 1,
            uses_keys,
            next_token: 1,
            open: BTreeSet::from([token]),
            rids: BTreeMap::from([(token, first_rid)]),
            pushed: 0,
            answers: Answers::new(options.max_response_bytes),
            last_payload: None,
            payload_of: BTreeMap::new(),
            has_ended: false,
        };
        session.push();
        session.settle();
        assert!(session.open.is_empty(), "the creation request is held");
        Some(session)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0..=5 => self.request(self.next_rid, input),
            6 | 7 => (0..=input.below(3)).for_each(|_| self.push()),
            // Again, or ahead of its turn.
            8 | 9 => {
                let off = u64::from(input.below(8));
                let rid = (self.next_rid + off).saturating_sub(4);
                self.request(rid, input);
            }
            10 | 11 => self.lose(input),
            12 | 13 => self.wait(input),
            14 => self.window.set_congested(input.once_in(2)),
            _ => self.rare(input),
        }
    }

    fn rare(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0 => self.window.end(None),
            1 => self.window.end(Some(Condition::SystemShutdown)),
            2 => self.window.on_stream_error("<stream:error/>"),
            3 => self.request(u64::from(input.word()), input),
            4 => self.request(MAX_RID + u64::from(input.byte()), input),
            5 => self.window.on_timeout(self.now),
            6 => {
                let unknown = RequestToken(u64::MAX - u64::from(input.word()));
                self.window.on_request_lost(self.now, unknown);
            }
            _ => {}
        }
    }

    fn push(&mut self) {
        self.window.push(format!("<f n='{}'/>", self.pushed));
        self.pushed += 1;
    }

    fn request(&mut self, rid: u64, input: &mut Input<'_>) {
        let token = RequestToken(self.next_token);
        self.next_token += 1;
        let body = self.body(rid, token, input);
        self.open.insert(token);
        self.rids.insert(token, rid);
        if rid == self.next_rid {
            self.next_rid += 1;
        }
        self.window.on_request(self.now, token, body);
    }

    fn body(&mut self, rid: u64, token: RequestToken, input: &mut Input<'_>) -> Body {
        let flags = input.byte();
        let payload = (0..flags & 3).map(|i| format!("<p r='{rid}' i='{i}' t='{}'/>", token.0));
        let rarely = if flags & 0x80 == 0 {
            15
        } else {
            flags >> 3 & 15
        };
        Body {
            rid,
            sid: Some("sid".into()),
            payload: payload.collect(),
            pause: (rarely == 0).then(|| u64::from(input.byte())),
            terminate: rarely == 1,
            restart: rarely == 2,
            ack: (rarely == 3).then(|| self.answers.acknowledge(self.first_rid)),
            key: self.key(rid).filter(|_| rarely != 4),
            ..Body::default()
        }
    }

    fn key(&self, rid: u64) -> Option<String> {
        let n = usize::try_from(rid.saturating_sub(self.first_rid)).unwrap_or(CHAIN_LEN);
        self.uses_keys.then(|| KEYS[n.min(CHAIN_LEN)].clone())
    }

    /// The connection of a request breaks: one that waits, or one whose answer is under way.
    fn lose(&mut self, input: &mut Input<'_>) {
        let back = u64::from(input.below(8)) + 1;
        let token = RequestToken(self.next_token.saturating_sub(back));
        self.window.on_request_lost(self.now, token);
        self.open.remove(&token);
        self.answers.lose(token);
    }

    fn wait(&mut self, input: &mut Input<'_>) {
        let seconds = [0, 1, 2, 5, 10, 59, 61, 300][usize::from(input.below(8))];
        self.pass(Duration::from_secs(seconds));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.window.poll_timeout().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.window.on_timeout(self.now);
            self.settle();
            let next = self.window.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "time stands still");
        }
        self.now = until;
    }

    fn settle(&mut self) {
        while let Some(input) = self.window.poll_input() {
            self.on_input(&input);
        }
        while let Some((token, response)) = self.window.poll_response(self.now) {
            self.on_response(token, &response);
        }
        assert_eq!(self.window.is_over(), self.window.ended().is_some());
        assert!(
            self.window.ended().is_none() || self.open.is_empty(),
            "left unanswered"
        );
        assert!(!self.window.is_over() || self.window.poll_timeout().is_none());
    }

    /// Payload comes in the order of the `rid`s, and once.
    fn on_input(&mut self, input: &FromClient) {
        assert!(!self.has_ended, "{input:?} follows the end");
        match input {
            FromClient::Frame(text) => self.on_payload(text),
            FromClient::Restart { .. } => {}
            FromClient::Terminate => self.has_ended = true,
        }
    }

    fn on_payload(&mut self, text: &str) {
        let mut numbers = text.split('\'').filter_map(|part| part.parse::<u64>().ok());
        let mut next = || numbers.next().expect("a number");
        let (rid, i, token) = (next(), next() as usize, RequestToken(next()));
        let place = Some((rid, i));
        assert!(
            place > self.last_payload,
            "{text} after {:?}",
            self.last_payload
        );
        self.last_payload = place;
        let of = *self.payload_of.entry(rid).or_insert(token);
        assert_eq!(of, token, "payload of two requests with one rid");
    }

    fn on_response(&mut self, token: RequestToken, response: &Response) {
        assert!(self.open.remove(&token), "{token:?} is answered twice");
        let rid = self.rids[&token];
        self.answers.take(token, rid, response.text());
    }

    /// Time passes until the session is over; what was not said is given back.
    fn come_to_an_end(&mut self) {
        self.settle();
        let undelivered = self.window.undelivered();
        let sent: BTreeSet<_> = self.rids.values().copied().collect();
        let in_order = (self.first_rid..).take_while(|rid| sent.contains(rid));
        let last_rid = in_order.last().unwrap_or(self.first_rid);
        self.answers
            .nothing_vanished(self.pushed, &undelivered, last_rid);
        self.pass(Duration::from_secs(3600));
        self.settle();
        assert!(self.window.is_over(), "it never ends");
        assert!(self.open.is_empty(), "requests are left unanswered");
    }
}
