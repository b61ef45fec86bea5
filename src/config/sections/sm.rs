//! `[sm]`.

use std::time::Duration;

use crate::config::kinds::{choice, count, span, switch, whole_seconds};
use crate::config::option::section;
use crate::config::types::Durability;
use crate::config::units::{days, hours, minutes, seconds};

section! {
    /// Stream management (XEP-0198): acks, and resumption of a session whose link was lost.
    Sm in "sm." {
        /// Whether stream management is offered. If not, it is not among the features, and a client
        /// that asks all the same gets `<failed/>`.
        enabled: bool = true, switch(), NewStreams;

        /// After how many handled stanzas the server sends an `<a/>` that nobody asked for. 0 sends
        /// none. Counted since `<enabled/>`; only stanzas count, and an `<r/>` is answered in any
        /// case. Strophe and Converse ask after 5 stanzas and start over at any `<a/>`, so a value up
        /// to 4 spares them nearly all of their requests.
        unsolicited_ack_frequency: u32 = 0, count(0..=10_000, "stanzas"), Live;

        /// How long a handled stanza waits for such an ack if the number is not reached. 0s does not
        /// limit the wait. It has no meaning while `sm.unsolicited_ack_frequency` is 0.
        unsolicited_ack_delay: Duration = seconds(1), span(seconds(0)..=minutes(1)), Live;

        /// After how many sent stanzas the server asks the client for an ack. 0 does not count, and
        /// leaves it to `sm.ack_request_delay`. A low value frees memory sooner and costs a nonza in
        /// each direction.
        ack_request_frequency: u32 = 5, count(0..=10_000, "stanzas"), Live;

        /// How long a sent stanza waits to be covered by an ack before the server asks, if the number
        /// is not reached. 0s asks by number alone. A client that leaves within this time has not
        /// acknowledged what it got last, and gets it once more at its next login.
        ack_request_delay: Duration = Duration::from_millis(250), span(seconds(0)..=minutes(1)), Live;

        /// How long the server waits for the answer to an ack request. Then the link is taken for
        /// dead and the session hibernates.
        ack_timeout: Duration = seconds(60), span(seconds(1)..=hours(1)), Live;

        /// How long a session without a link can be resumed. It is announced as `max`, and a client
        /// may ask for less. Then what is left in the unacked queue goes where RFC 6121 sends it. 0s
        /// offers acks without resumption.
        resume_timeout: Duration = minutes(10), whole_seconds(seconds(0)..=days(7)), NewStreams;

        /// How many stanzas may be sent and not yet covered by an ack. At this bound the senders of a
        /// session with a link are slowed down, and a hibernating session ends as at
        /// `sm.resume_timeout`. While the client itself is slowed down, four times as many may be
        /// sent: its acks stand behind the stanzas that wait, and cannot get through.
        max_unacked: usize = 1000, count(10..=1_000_000, "stanzas"), NewStreams;

        /// How many hibernating sessions an account may have. The oldest ends first, so that a page
        /// that is loaded again and again leaves no crowd behind. 0 offers acks without resumption.
        max_hibernating_per_user: usize = 8, count(0..=1000, "sessions"), NewStreams;

        /// How many messages with an id each session remembers, so that what its client sends again
        /// after the session was lost is not delivered twice: with stream management or without it,
        /// over WebSocket and BOSH. A repeat has the addressee, type, id (or origin-id) and content
        /// of the first copy and comes from a session of the same account that was bound after
        /// that; it counts as handled. What one session sent twice in the same words under the same
        /// id tells nothing and is always delivered. Sessions that ended are remembered for an hour
        /// and not past the end of the process; those that outlive a clean stop are remembered by
        /// the next one. 0 delivers all copies.
        repeat_window: usize = 128, count(0..=1_000, "messages"), Live;

        /// What sessions outlive. "memory": a lost link. "restart": also a clean stop of the server,
        /// which hands them to the store; the next process gives each its whole time to be resumed.
        /// "always": also `kill -9` and the loss of power. All that a session needs is then on disk
        /// before an ack covers a stanza and before a stanza leaves for a client, in one write for all
        /// sessions that wait; each stanza is later by up to two such writes.
        durability: Durability = Durability::Restart, choice(), Restart;

        /// For tests: the value that both counters start from instead of 0, so that the step past
        /// 4294967295 back to 0 comes after a few stanzas. A client that does not know of it sees a
        /// wrong `h`.
        debug_first_h: u32 = 0, count(0..=u32::MAX, "stanzas"), NewStreams;
    }
}
