//! The promise over a bad network: a client that sends again what got lost, an adversary that holds
//! back, reorders, doubles and loses requests and answers, and nothing lost or doubled at either end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::xml::Element;

/// What the adversary does next; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// The client begins a request, if it may: with payload, empty, or a pause.
    Begin { kind: u8 },
    /// A request on its way reaches the server.
    Arrive(usize),
    /// A request on its way is lost.
    Drop(usize),
    /// A proxy sends a request on its way twice.
    Double(usize),
    /// An answer on its way reaches the client.
    Answer(usize),
    /// An answer on its way is lost; the server may notice.
    DropAnswer(usize, bool),
    /// The connection of a request that the server has breaks, and the server notices.
    Cut(usize),
    /// The client gives up on an open request and sends it again.
    Resend(usize),
    /// The stream has a frame for the client.
    Push { size: usize },
    /// Time passes.
    Pass { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..8u8).prop_map(|kind| Step::Begin { kind }),
        6 => any::<usize>().prop_map(Step::Arrive),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Double),
        5 => any::<usize>().prop_map(Step::Answer),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(i, noticed)| Step::DropAnswer(i, noticed)),
        1 => any::<usize>().prop_map(Step::Cut),
        3 => any::<usize>().prop_map(Step::Resend),
        3 => (0..40usize).prop_map(|size| Step::Push { size }),
        1 => (0..90u64).prop_map(|seconds| Step::Pass { seconds }),
    ];
    prop::collection::vec(step, 0..250)
}

/// A client as XEP-0124 describes it, written without a look at the window.
struct Client {
    next_rid: u64,
    requests: u64,
    acks: bool,
    /// Requests without an answer, and the exact copy to send again.
    open: BTreeMap<u64, Body>,
    /// The answer to each `rid`, as it came first.
    answers: BTreeMap<u64, String>,
    sent: Vec<String>,
}

impl Client {
    fn may_begin(&self) -> bool {
        (self.open.len() as u64) < self.requests
            && self
                .open
                .keys()
                .next()
                .is_none_or(|oldest| self.next_rid < oldest + self.requests)
    }

    fn begin(&mut self, kind: u8) -> Body {
        let mut body = Body {
            rid: self.next_rid,
            sid: Some("sid".into()),
            ..Body::default()
        };
        match kind {
            0..4 => {
                let frames =
                    (0..=kind).map(|i| format!("<c n='{}'/>", self.sent.len() + i as usize));
                body.payload = frames.collect();
                self.sent.extend(body.payload.iter().cloned());
            }
            4 => body.pause = Some(u64::MAX), // as long as allowed
            _ => {}
        }
        if self.acks && !self.open.is_empty() {
            body.ack = self.open.keys().next().map(|oldest| oldest - 1);
        }
        self.next_rid += 1;
        self.open.insert(body.rid, body.clone());
        body
    }

    /// Takes an answer; one that means "send it again" leaves the request open.
    fn on_answer(&mut self, rid: u64, text: &str) {
        assert!(
            !text.contains("type='terminate'"),
            "the session must not end: {text}"
        );
        if text.contains("type='error'") {
            return;
        }
        self.open.remove(&rid);
        let first = self.answers.entry(rid).or_insert_with(|| text.to_owned());
        assert_eq!(first, text, "a rid has one answer");
    }

    /// The frames in its answers, which a client reads in `rid` order.
    fn received(&self) -> Vec<String> {
        let bodies = self
            .answers
            .values()
            .map(|text| Element::parse(text).expect("a document"));
        let frames = bodies.flat_map(|body| {
            let children = body.children().filter_map(|child| child.attr("n"));
            children.map(str::to_owned).collect::<Vec<_>>()
        });
        frames.collect()
    }
}

/// The client, the network and the window.
struct World {
    client: Client,
    window: Window,
    now: Instant,
    next_token: u64,
    /// Requests between the client and the server.
    arriving: Vec<(RequestToken, Body)>,
    /// Requests that the server has not answered: the `rid` of each connection.
    at_server: BTreeMap<RequestToken, u64>,
    /// Answers between the server and the client.
    returning: Vec<(RequestToken, u64, String)>,
    served: Vec<String>,
    pushed: Vec<String>,
}

impl World {
    fn new(hold: u64, acks: bool) -> Self {
        let options = Options {
            max_hold: 3,
            polling: Duration::ZERO,
            inactivity: Duration::from_secs(1_000_000),
            polling_inactivity: Duration::from_secs(1_000_000),
            max_pause: Duration::from_secs(1_000_000),
            max_repeats: u32::MAX,
            max_response_bytes: 64,
            ..Options::default()
        };
        let body = Body {
            hold: Some(hold),
            ack: acks.then_some(1),
            ..creation()
        };
        let now = Instant::now();
        let token = RequestToken(0);
        let mut window = Window::create(now, "sid", "example.org", token, body, &options).unwrap();
        window.poll_response(now).expect("the creation answer");
        let requests = (hold + 1).max(2);
        let client = Client {
            next_rid: FIRST_RID + 1,
            requests,
            acks,
            open: BTreeMap::new(),
            answers: BTreeMap::new(),
            sent: Vec::new(),
        };
        Self {
            client,
            window,
            now,
            next_token: 1,
            arriving: Vec::new(),
            at_server: BTreeMap::new(),
            returning: Vec::new(),
            served: Vec::new(),
            pushed: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Begin { kind } if self.client.may_begin() => {
                let body = self.client.begin(kind);
                self.depart(body);
            }
            Step::Arrive(i) if !self.arriving.is_empty() => self.arrive(i),
            Step::Drop(i) if !self.arriving.is_empty() => {
                self.arriving.remove(i % self.arriving.len());
            }
            Step::Double(i) if !self.arriving.is_empty() => {
                let body = self.arriving[i % self.arriving.len()].1.clone();
                self.depart(body);
            }
            Step::Answer(i) if !self.returning.is_empty() => self.answer(i),
            Step::DropAnswer(i, noticed) if !self.returning.is_empty() => {
                let (token, ..) = self.returning.remove(i % self.returning.len());
                if noticed {
                    self.window.on_request_lost(self.now, token);
                }
            }
            Step::Cut(i) if !self.at_server.is_empty() => {
                let nth = i % self.at_server.len();
                let token = *self.at_server.keys().nth(nth).unwrap();
                self.at_server.remove(&token);
                self.window.on_request_lost(self.now, token);
            }
            Step::Resend(i) if !self.client.open.is_empty() => {
                let nth = i % self.client.open.len();
                let body = self.client.open.values().nth(nth).unwrap().clone();
                self.depart(body);
            }
            Step::Push { size } => self.push(size),
            Step::Pass { seconds } => {
                self.now += Duration::from_secs(seconds);
                if self
                    .window
                    .poll_timeout()
                    .is_some_and(|due| due <= self.now)
                {
                    self.window.on_timeout(self.now);
                }
            }
            _ => {}
        }
        self.drive();
    }

    fn depart(&mut self, body: Body) {
        self.arriving.push((RequestToken(self.next_token), body));
        self.next_token += 1;
    }

    fn arrive(&mut self, i: usize) {
        let (token, body) = self.arriving.remove(i % self.arriving.len());
        self.at_server.insert(token, body.rid);
        self.window.on_request(self.now, token, body);
    }

    fn answer(&mut self, i: usize) {
        let (_, rid, text) = self.returning.remove(i % self.returning.len());
        self.client.on_answer(rid, &text);
        if !self.client.open.contains_key(&rid) {
            // The client closes its other connections for this request.
            self.arriving.retain(|(_, body)| body.rid != rid);
        }
    }

    fn push(&mut self, size: usize) {
        let name = self.pushed.len().to_string();
        self.window
            .push(format!("<f xmlns='x' n='{name}'>{}</f>", "x".repeat(size)));
        self.pushed.push(name);
    }

    /// What a driver does after each call.
    fn drive(&mut self) {
        while let Some(input) = self.window.poll_input() {
            let Input::Frame(frame) = input else {
                panic!("only frames were sent")
            };
            self.served.push(frame);
        }
        while let Some((token, response)) = self.window.poll_response(self.now) {
            let rid = self
                .at_server
                .remove(&token)
                .expect("one answer, to a request that is there");
            self.returning
                .push((token, rid, response.text().to_owned()));
        }
        assert_eq!(self.window.ended(), None, "an honest client is never ended");
        let is_at_rest = self.window.poll_timeout().is_none_or(|due| due > self.now);
        assert!(
            is_at_rest,
            "a timeout that stays due would keep a driver busy"
        );
        assert!(self.window.held.queue.len() <= self.window.terms.hold.max(1));
    }

    /// The network heals: the client sends again what is open and polls until nothing is left.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let again: Vec<_> = self.client.open.values().cloned().collect();
            again.into_iter().for_each(|body| self.depart(body));
            if self.client.may_begin() {
                self.take(Step::Begin { kind: 7 });
            }
            while !self.arriving.is_empty() {
                self.take(Step::Arrive(0));
            }
            self.take(Step::Pass { seconds: 61 });
            while !self.returning.is_empty() {
                self.take(Step::Answer(0));
            }
            if self.client.received().len() == self.pushed.len() && self.client.open.is_empty() {
                return;
            }
        }
        panic!("the conversation does not come to rest");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// B-06, B-08, B-47, and pain 22 of ejabberd#3068
    #[test]
    fn every_payload_and_every_frame_arrives_once_and_in_order(
        hold in 0..4u64,
        acks in any::<bool>(),
        steps in steps(),
    ) {
        let mut world = World::new(hold, acks);
        for step in steps {
            world.take(step);
        }
        world.settle();
        prop_assert_eq!(&world.served, &world.client.sent);
        prop_assert_eq!(&world.client.received(), &world.pushed);
        prop_assert!(world.window.undelivered().is_empty());
    }

    /// At the end, a frame is with the client, or unconfirmed, or undelivered; never with the client
    /// and undelivered.
    #[test]
    fn nothing_that_was_pushed_is_forgotten_when_the_session_dies(
        hold in 0..4u64,
        steps in steps(),
    ) {
        let mut world = World::new(hold, false);
        for step in steps {
            world.take(step);
        }
        world.window.close(Ended::Inactive);
        let name = |frame: std::sync::Arc<str>| {
            let element = Element::parse(&frame).expect("a document");
            element.attr("n").map(str::to_owned).unwrap_or_default()
        };
        let received = world.client.received();
        let unconfirmed: Vec<_> = world.window.unconfirmed().into_iter().map(name).collect();
        let undelivered: Vec<_> = world.window.undelivered().into_iter().map(name).collect();
        for pushed in &world.pushed {
            let is_undelivered = undelivered.contains(pushed);
            prop_assert!(!(is_undelivered && received.contains(pushed)), "{} would be doubled", pushed);
            let is_known = is_undelivered || unconfirmed.contains(pushed);
            prop_assert!(is_known || received.contains(pushed), "{} is forgotten", pushed);
        }
    }
}
