//! What the client got, answer by answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stanzad::stream::bosh::RequestToken;
use stanzad::xml::{Element, Scanner};

const NS_HTTPBIND: &str = "http://jabber.org/protocol/httpbind";

pub struct Answers {
    max_bytes: usize,
    /// The answer to each `rid`, with the requests that got it and were not lost.
    by_rid: BTreeMap<u64, Answer>,
    /// The client has said that it has the answers up to here.
    acknowledged: u64,
    /// So many `rid`s may be open at a time. Whoever uses one that is further on has the answer
    /// (XEP-0124 §14.2).
    requests: u64,
}

struct Answer {
    text: String,
    frames: Vec<u32>,
    taken_by: BTreeSet<RequestToken>,
}

impl Answers {
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            by_rid: BTreeMap::new(),
            acknowledged: 0,
            requests: 0,
        }
    }

    /// An answer was handed to a request.
    pub fn take(&mut self, token: RequestToken, rid: u64, text: &str) {
        let mut scanner = Scanner::default();
        let frame = scanner
            .scan(text)
            .unwrap_or_else(|fault| panic!("{fault}: {text}"));
        assert!(frame.is("body", NS_HTTPBIND), "{text}");
        let kind = frame.attribute("type");
        let body = Element::parse(text).expect("scanned");
        if let Some(requests) = body.attr("requests") {
            self.requests = requests.parse().expect("a number");
        }
        let frames: Vec<u32> = body
            .children()
            .filter(|child| child.name() == "f")
            .map(|child| child.attr("n").and_then(|n| n.parse().ok()).expect("ours"))
            .collect();
        if kind.is_some() {
            // A terminating or recoverable answer is no answer of its rid.
            return assert!(frames.is_empty(), "frames in {text}");
        }
        let bytes: usize = frames.iter().map(|n| format!("<f n='{n}'/>").len()).sum();
        assert!(
            frames.len() <= 1 || bytes <= self.max_bytes,
            "too long an answer: {text}"
        );
        if let Some(before) = self.by_rid.get_mut(&rid) {
            assert_eq!(before.text, text, "another answer to the same rid");
            before.taken_by.insert(token);
            return;
        }
        self.check_order(rid, &frames);
        let answer = Answer {
            text: text.to_owned(),
            frames,
            taken_by: BTreeSet::from([token]),
        };
        self.by_rid.insert(rid, answer);
    }

    /// Whoever reads the answers in the order of the `rid`s reads the frames in order.
    fn check_order(&self, rid: u64, frames: &[u32]) {
        assert!(frames.is_sorted_by(|a, b| a < b));
        let of = |answer: &Answer| answer.frames.clone();
        let below = self.by_rid.range(..rid).flat_map(|(_, it)| of(it)).max();
        let above = self.by_rid.range(rid..).flat_map(|(_, it)| of(it)).min();
        if let (Some(first), Some(below)) = (frames.first(), below) {
            assert!(below < *first, "frame {first} comes after {below}");
        }
        if let (Some(last), Some(above)) = (frames.last(), above) {
            assert!(*last < above, "frame {last} comes before {above}");
        }
    }

    /// The connection broke before the answer was written.
    pub fn lose(&mut self, token: RequestToken) {
        for answer in self.by_rid.values_mut() {
            answer.taken_by.remove(&token);
        }
    }

    /// The client says up to which `rid` it has every answer. What it once had it does not lose,
    /// even if a connection that brought it is reported broken afterwards.
    pub fn acknowledge(&mut self, first_rid: u64) -> u64 {
        let has = |rid: &u64| {
            self.by_rid
                .get(rid)
                .is_some_and(|it| !it.taken_by.is_empty())
        };
        let known = (first_rid..).take_while(has).last();
        self.acknowledged = known.unwrap_or(first_rid).max(self.acknowledged);
        self.acknowledged
    }

    /// Every frame is with the client, or given back, or in an answer that the client must have.
    pub fn nothing_vanished(&self, pushed: u32, undelivered: &[Arc<str>], last_rid: u64) {
        let waiting: BTreeSet<_> = undelivered.iter().map(|frame| number(frame)).collect();
        assert_eq!(waiting.len(), undelivered.len(), "given back twice");
        for (rid, answer) in &self.by_rid {
            let is_taken = !answer.taken_by.is_empty();
            for n in &answer.frames {
                let is_given_back = waiting.contains(n);
                assert!(!(is_taken && is_given_back), "{n} would be said twice");
                let is_proved = *rid <= self.acknowledged || rid + self.requests < last_rid;
                assert!(is_taken || is_given_back || is_proved, "{n} vanished");
            }
        }
        let said: BTreeSet<_> = self.by_rid.values().flat_map(|it| &it.frames).collect();
        let nowhere = (0..pushed).find(|n| !said.contains(n) && !waiting.contains(n));
        assert_eq!(nowhere, None, "a frame is nowhere");
    }
}

fn number(frame: &str) -> u32 {
    let digits = frame.split('\'').nth(1).and_then(|n| n.parse().ok());
    digits.expect("ours")
}
