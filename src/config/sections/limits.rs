//! `[limits]`.

use std::time::Duration;

use crate::config::kinds::{choice, count, size, span};
use crate::config::option::section;
use crate::config::types::UserExcess;
use crate::config::units::{KIB, MIB, minutes, seconds};

section! {
    /// Bounds, and what happens at each.
    Limits in "limits." {
        /// The longest stanza, as the bytes of its XML. It is announced to clients (XEP-0478). A
        /// longer one ends the stream with `policy-violation`. RFC 6120 §13.12 allows no server less
        /// than 10000.
        max_stanza_bytes: usize = 256 * KIB, size(10_000..=64 * MIB), NewStreams;

        /// The same before login. It bounds what a stranger can make the server hold.
        max_stanza_bytes_before_auth: usize = 10 * KIB, size(2 * KIB..=MIB), NewStreams;

        /// How deep elements may stand in each other. Deeper ones end the stream with
        /// `policy-violation`.
        max_depth: usize = 64, count(8..=1024, "levels"), NewStreams;

        /// How many attributes an element may have, namespace declarations among them. More end the
        /// stream with `policy-violation`. No more than 256, as they are compared pairwise.
        max_attributes: usize = 64, count(16..=256, "attributes"), NewStreams;

        /// How many namespace declarations may be in scope at one place of a stanza. More end the
        /// stream with `policy-violation`. No more than 64, as each prefix is looked for among them.
        max_namespaces: usize = 64, count(8..=64, "declarations"), NewStreams;

        /// How many sessions an account may have, hibernating ones among them. At this bound the
        /// oldest hibernating one ends; if there is none, the new one is refused with
        /// `resource-constraint`.
        sessions_per_user: usize = 20, count(1..=10_000, "sessions"), NewStreams;

        /// How many stanzas may wait for a client that reads slowly. At this bound whoever sends to
        /// it is read more slowly, too.
        send_queue: usize = 256, count(16..=100_000, "stanzas"), NewStreams;

        /// The same in bytes; whichever bound is met first counts.
        send_queue_bytes: usize = 4 * MIB, size(64 * KIB..=1024 * MIB), NewStreams;

        /// What may be held in memory for clients that have not got it yet, all sessions together.
        /// It counts the text of each stanza in a mailbox, in an unacked queue, or on its way into
        /// the offline storage, with 256 bytes for each of them, and what waits to be written to a
        /// WebSocket or into an answer of BOSH. A stanza for several sessions counts for each. It
        /// does not count what a session takes by itself, stanzas that come in, the buffers of
        /// the operating system, or the database. From three quarters on whoever sends to a client
        /// with unread mail is read more slowly. At the bound everybody is, and the sessions that
        /// hold most end, hibernating ones first, with the reason `memory`, until seven eighths are
        /// left; what they hold goes where RFC 6121 sends it, such as to the offline storage.
        memory: usize = 512 * MIB, size(MIB..=1024 * 1024 * MIB), Live;

        /// How long a client may take from its connection to its login. Then its stream ends with
        /// `connection-timeout`.
        login_timeout: Duration = seconds(30), span(seconds(1)..=minutes(10)), NewStreams;

        /// How long a client may take to send the head of an HTTP request. Then its connection is
        /// closed.
        header_timeout: Duration = seconds(10), span(seconds(1)..=minutes(5)), Restart;

        /// How many connections may be open on all ports. Further ones get 503 and are closed. The
        /// limit of open files of the process has to be higher.
        connections: usize = 10_000, count(1..=1_000_000, "connections"), Restart;

        /// How many of them one address may have, logged in or not; IPv6 addresses of one /64 count
        /// as one. Further ones get 503 and are closed. The address is that of the socket, or the one
        /// that a trusted proxy names by the PROXY protocol. What comes from a trusted proxy without
        /// it is not counted, as one connection may carry the requests of many: bound those there.
        connections_per_address: usize = 1000, count(1..=1_000_000, "connections"), Restart;

        /// How many streams may begin each second in the long run: WebSocket upgrades and new BOSH
        /// sessions. 0 does not count them. Further ones get 503 with a `Retry-After` of 1 to 30
        /// seconds, another one each. One address has a tenth of it; addresses of this machine, and
        /// those of proxies that name no client, have no share of their own.
        new_connections_per_second: u64 = 1000, count(0..=1_000_000, "streams"), Live;

        /// How many of them may begin at once, after a quiet time. Half of it is kept for clients
        /// that lost a link and may resume their session: those of the addresses from which they
        /// were lost.
        new_connections_burst: u64 = 2000, count(1..=1_000_000, "streams"), Live;

        /// How many clients may log in each second in the long run; 0 does not count them. Further
        /// ones wait for their turn, after authentication, for up to 10 seconds; those that would
        /// have to wait for longer get `resource-constraint`. Resumptions do not wait and are not
        /// counted. One account has a tenth of it.
        logins_per_second: u64 = 500, count(0..=1_000_000, "logins"), Live;

        /// How many of them may log in at once, after a quiet time.
        logins_burst: u64 = 1000, count(1..=1_000_000, "logins"), Live;

        /// How many stanzas an account may send each second in the long run, all its sessions
        /// together; 0 does not count them. Acks and the like count, too.
        user_stanzas_per_second: u64 = 1000, count(0..=1_000_000, "stanzas"), Live;

        /// How many of them it may send at once, after a quiet time.
        user_stanzas_burst: u64 = 10_000, count(1..=10_000_000, "stanzas"), Live;

        /// How many bytes of XML an account may send each second in the long run, all its sessions
        /// together; 0 does not count them.
        user_bytes_per_second: usize = 10 * MIB, size(0..=1024 * MIB), Live;

        /// How many of them it may send at once, after a quiet time: at least one stanza of
        /// `limits.max_stanza_bytes`.
        user_bytes_burst: usize = 64 * MIB, size(10_000..=4096 * MIB), Live;

        /// What happens to what an account sends over these rates. "slow": it is served, and the
        /// client is not read before its time has come. "refuse": the stanza is answered by
        /// `resource-constraint` and counts as handled. "close": the stream ends with
        /// `policy-violation`, and with it the session. What can neither be refused nor be closed
        /// for, such as acks and results, is slowed.
        user_excess: UserExcess = UserExcess::Slow, choice(), Live;

        /// How many contacts an account may have. A further one is refused with `not-allowed`.
        roster_items: usize = 1000, count(1..=100_000, "contacts"), NewStreams;

        /// How many messages are kept for an account that is not there. The sender of a further one
        /// gets `service-unavailable`.
        offline_messages: usize = 1000, count(0..=1_000_000, "messages"), NewStreams;
    }
}
