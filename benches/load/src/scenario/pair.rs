//! Two sessions that hit one stanza to and fro, over whatever carries them.

use crate::scan::{Mark, write_message};
use crate::traffic::Traffic;

pub struct Player<S> {
    /// The flow that it sends; it receives the other one of the pair.
    pub flow: usize,
    pub begins: bool,
    pub session: S,
    to: String,
}

impl<S> Player<S> {
    /// The two of a pair; the first one begins. `jid`: where a session is reached.
    pub fn pair(flow: usize, ping: S, pong: S, jid: impl Fn(&S) -> &str) -> [Self; 2] {
        let (to_ping, to_pong) = (jid(&ping).to_owned(), jid(&pong).to_owned());
        let player = |flow, begins, session, to| Self {
            flow,
            begins,
            session,
            to,
        };
        [
            player(flow, true, ping, to_pong),
            player(flow + 1, false, pong, to_ping),
        ]
    }

    /// The next stanza to the other one, which says that the first of this round was sent at `at`.
    pub fn write(&self, traffic: &Traffic, at: u64, stanza: &mut Vec<u8>, size: usize) {
        let mark = Mark {
            flow: self.flow as u32,
            number: traffic.flows[self.flow].ledger.borrow_mut().number(),
            at,
        };
        write_message(stanza, &self.to, &mark, size);
    }
}
