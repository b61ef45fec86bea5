//! What a world begins with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stanzad::auth::{LinkSecurity, Mechanism, Offer};
use stanzad::stanza::address::{BareJid, FullJid};
use stanzad::stream::{Framing, Reply, SharedOptions, SmOptions, Stream, StreamOptions};
use stanzad::xml::Limits;

use crate::input::Input;

/// The bytes that [`options`] reads.
pub const OPTIONS_BYTES: usize = 12;

/// Options of a stream, as bounds that are soon met.
pub fn options(input: &mut Input<'_>) -> StreamOptions {
    StreamOptions {
        hosts: vec!["example.org".into(), "example.net".into()],
        max_stanza_bytes: 4096,
        max_stanza_bytes_before_auth: 1024,
        xml: Limits::default(),
        ws_idle_timeout: Duration::from_secs(90),
        bosh_inactivity: Duration::from_secs(60),
        login_timeout: Duration::from_secs(30),
        failures_per_stream: 3,
        registration: input.once_in(2),
        see_other_uri: input.once_in(32).then(|| "wss://example.net/ws/".into()),
        sm: sm(input),
    }
}

fn sm(input: &mut Input<'_>) -> SmOptions {
    let seconds = Duration::from_secs;
    SmOptions {
        first_h: match input.below(3) {
            0 => 0,
            1 => u32::MAX - u32::from(input.below(8)),
            _ => input.word(),
        },
        enabled: !input.once_in(32),
        unsolicited_ack_frequency: u32::from(input.below(6)),
        unsolicited_ack_delay: seconds(u64::from(input.below(3))),
        ack_request_frequency: u32::from(input.below(6)),
        ack_request_delay: seconds(u64::from(input.below(3))),
        ack_timeout: seconds(60),
        resume_timeout: seconds(600),
        max_hibernating_per_user: 8,
        max_unacked: usize::from(input.below(8)) + 1,
        max_unacked_bytes: usize::from(input.byte()) * 16 + 256,
    }
}

/// A stream whose link is up.
pub fn stream(now: Instant, framing: Framing, options: &SharedOptions) -> Stream {
    static OFFER: std::sync::OnceLock<Arc<Offer>> = std::sync::OnceLock::new();
    let offer = OFFER.get_or_init(|| {
        let mechanisms = [Mechanism::Plain, Mechanism::ScramSha1];
        Arc::new(Offer::new(mechanisms, &LinkSecurity::Confidential))
    });
    Stream::new(now, framing, offer.clone(), options.clone(), counted_ids)
}

fn counted_ids() -> u128 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The login of the one account.
pub fn authenticated() -> Reply {
    let account: BareJid = "juliet@example.org".parse().expect("an address");
    Reply::Authenticated {
        account,
        data: None,
    }
}

/// The address of every session.
pub fn jid() -> FullJid {
    "juliet@example.org/balcony".parse().expect("an address")
}
