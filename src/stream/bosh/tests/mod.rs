//! The rules of BOSH, one sentence each. Ids are those of the conformance list.

mod body;
mod congestion;
mod creation;
mod delivery;
mod ending;
mod holding;
mod order;
mod pace;
mod repeats;

use std::time::{Duration, Instant};

use super::*;

/// The `rid` of the creation request in these tests.
const FIRST_RID: u64 = 1000;

/// A window, a clock that stands still until it is told, and the tokens of the requests.
struct Session {
    window: Window,
    now: Instant,
    next_token: u64,
}

impl Session {
    /// A session with hold 1 and wait 60, whose creation request is not yet answered.
    fn unanswered(body: Body, options: &Options) -> Self {
        let now = Instant::now();
        let token = RequestToken(0);
        let window = Window::create(now, "some-sid", "example.org", token, body, options);
        Self {
            window: window.expect("the creation request is good"),
            now,
            next_token: 1,
        }
    }

    /// The same, with the creation request answered.
    fn with(body: Body, options: &Options) -> Self {
        let mut session = Self::unanswered(body, options);
        session.window.push("<stream:features/>");
        assert_eq!(
            session.responses().len(),
            1,
            "the creation request is answered"
        );
        session
    }

    fn open() -> Self {
        Self::with(creation(), &Options::default())
    }

    fn request(&mut self, body: Body) -> RequestToken {
        let token = RequestToken(self.next_token);
        self.next_token += 1;
        self.window.on_request(self.now, token, body);
        token
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        if self
            .window
            .poll_timeout()
            .is_some_and(|due| due <= self.now)
        {
            self.window.on_timeout(self.now);
        }
    }

    fn frames(&mut self) -> Vec<String> {
        self.inputs()
            .into_iter()
            .filter_map(|input| match input {
                Input::Frame(frame) => Some(frame),
                _ => None,
            })
            .collect()
    }

    fn inputs(&mut self) -> Vec<Input> {
        std::iter::from_fn(|| self.window.poll_input()).collect()
    }

    fn responses(&mut self) -> Vec<(RequestToken, String)> {
        let responses = std::iter::from_fn(|| self.window.poll_response(self.now));
        responses
            .map(|(token, response)| (token, response.text().to_owned()))
            .collect()
    }

    /// The tokens that are answered now, and the texts of the answers.
    fn answered(&mut self) -> (Vec<RequestToken>, Vec<String>) {
        self.responses().into_iter().unzip()
    }
}

fn creation() -> Body {
    Body {
        rid: FIRST_RID,
        to: Some("example.org".into()),
        wait: Some(60),
        hold: Some(1),
        ver: Version::parse("1.6"),
        ..Body::default()
    }
}

/// An empty request, `offset` after the creation request.
fn poll(offset: u64) -> Body {
    Body {
        rid: FIRST_RID + offset,
        sid: Some("some-sid".into()),
        ..Body::default()
    }
}

/// A request that carries `frames`.
fn carrying(offset: u64, frames: &[&str]) -> Body {
    Body {
        payload: frames.iter().map(|frame| frame.to_string()).collect(),
        ..poll(offset)
    }
}

fn pause(offset: u64, seconds: u64) -> Body {
    Body {
        pause: Some(seconds),
        ..poll(offset)
    }
}

fn terminate(offset: u64) -> Body {
    Body {
        terminate: true,
        ..poll(offset)
    }
}

const EMPTY: &str = "<body xmlns='http://jabber.org/protocol/httpbind'/>";
const RECOVERABLE: &str = "<body xmlns='http://jabber.org/protocol/httpbind' type='error'/>";

fn body_with(frames: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind'>{frames}</body>")
}

fn terminated(condition: &str) -> String {
    format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' \
         condition='{condition}'/>"
    )
}
