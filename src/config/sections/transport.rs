//! `[ws]` and `[bosh]`.

use std::time::Duration;

use crate::config::kinds::{count, optional, span, switch, websocket_url, whole_seconds};
use crate::config::option::section;
use crate::config::units::{days, hours, minutes, seconds};

section! {
    /// XMPP over WebSocket (RFC 7395).
    Ws in "ws." {
        /// Whether the paths of `[[endpoint]]` are served.
        enabled: bool = true, switch(), Restart;

        /// How often the server sends a WebSocket ping on a quiet link. It is to be shorter than the
        /// idle limit of every proxy on the way, and those of many are 60 seconds.
        ping_interval: Duration = seconds(25), span(seconds(1)..=hours(1)), NewStreams;

        /// How long a link may stay silent before it is taken for dead: nothing has come, not even a
        /// pong. With stream management the session then hibernates. It has to be longer than
        /// `ws.ping_interval`, or every quiet link dies.
        idle_timeout: Duration = seconds(90), span(seconds(2)..=days(1)), NewStreams;

        /// Where clients are sent instead: each that opens a stream hears `<close see-other-uri/>`
        /// (RFC 7395 §3.6.1) and goes there, if it follows; streams that are open stay. For a server
        /// that is to be emptied before it is stopped. A `public_url` of https needs a target of wss.
        see_other_uri: Option<String> =
            None, optional(websocket_url(), "\"wss://other.example.org/ws/\""), NewStreams;
    }
}

section! {
    /// XMPP over BOSH (XEP-0124, XEP-0206), at `/http-bind/`.
    Bosh in "bosh." {
        /// Whether BOSH is served.
        enabled: bool = true, switch(), Restart;

        /// The longest time that a request is held open with nothing to answer; a client may ask for
        /// less (`wait`, XEP-0124 §7). It is to be shorter than the idle limit of every proxy on the
        /// way.
        max_wait: Duration = seconds(60), whole_seconds(seconds(1)..=minutes(10)), NewStreams;

        /// How long a session may stand with no open request before the link is taken for lost. It is
        /// announced as `inactivity` (XEP-0124 §10). Higher values keep more dead sessions in memory.
        inactivity: Duration = seconds(60), whole_seconds(seconds(5)..=hours(1)), NewStreams;

        /// The shortest time between two empty requests of a client that polls. It is announced as
        /// `polling` (XEP-0124 §12); whoever asks more often is refused with `policy-violation`.
        polling: Duration = seconds(5), whole_seconds(seconds(0)..=minutes(1)), NewStreams;

        /// The longest pause that a client may ask for, such as for the load of its next page. It is
        /// announced as `maxpause` (XEP-0124 §10); 0s announces none and refuses each.
        max_pause: Duration = seconds(120), whole_seconds(seconds(0)..=hours(1)), NewStreams;

        /// How many requests a client may have open at once. It is announced as `requests` (XEP-0124
        /// §7.2), and one less than it is the most that are held.
        requests: u32 = 2, count(2..=10, "requests"), NewStreams;
    }
}
