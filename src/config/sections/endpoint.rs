//! `[[endpoint]]` and `[tier.NAME]`.

use std::time::Duration;

use super::Sm;
use crate::config::kinds::{
    choice, count, count_rate, name, optional, origins, size, size_rate, span, switch, url_path,
    url_paths, whole_seconds, words,
};
use crate::config::option::section;
use crate::config::types::{AuthMethod, OnExceed, Origins, RateLimit, TierPer};
use crate::config::units::{MIB, days, hours, minutes, seconds};

section! {
    /// A WebSocket path and who may use it. There may be several of these tables; the first one takes
    /// the place of the default. A reload adds and removes them; streams that are open stay, with
    /// what was decided about them.
    Endpoint in "endpoint." {
        /// The name of the endpoint in logs and figures.
        name: String = "web".to_owned(), name(), NewStreams;

        /// The path. `/ws` and `/ws/` are the same path, and both are served.
        path: String = "/ws/".to_owned(), url_path(), NewStreams;

        /// Further paths of the same endpoint.
        paths: Vec<String> = Vec::new(), url_paths("[\"/xmpp-websocket/\"]"), NewStreams;

        /// Whether it is served. If not, its paths answer 404.
        enabled: bool = true, switch(), NewStreams;

        /// The web pages that may open a stream here: those of the origin of `public_url`, all, or
        /// those of a list. Any other page is refused with 403. A client that sends no `Origin` is
        /// no web page and is served.
        origins: Origins = Origins::SameOrigin, origins(), NewStreams;

        /// What lets a client in before its stream begins: "ticket", "jwt", "token", "session", each
        /// with a section of its own in `[auth]`, or "none", which lets everybody in. The first one
        /// that finds something to look at decides; "none" comes last. Who is let in has yet to log
        /// in, in the stream. BOSH has what the first endpoint has, but tickets are for WebSocket
        /// alone.
        auth: Vec<AuthMethod> =
            vec![AuthMethod::Anybody], words(1, "[\"ticket\", \"none\"]"), NewStreams;

        /// The name of the `[tier.NAME]` that throttles those whom nothing else gives a tier. Without
        /// one there are the bounds of `[limits]` alone. BOSH has that of the first endpoint.
        tier: Option<String> = None, optional(name(), "\"gold\""), Live;
    }
    sections {
        sm: EndpointSm,
    }
}

section! {
    /// What of `[sm]` is different at an endpoint.
    EndpointSm in "endpoint.sm." {
        /// `sm.enabled` for this endpoint; without it that of `[sm]`.
        enabled: Option<bool> = None, optional(switch(), "true"), NewStreams;

        /// `sm.unsolicited_ack_frequency` for this endpoint; without it that of `[sm]`.
        unsolicited_ack_frequency: Option<u32> =
            None, optional(count(0..=10_000, "stanzas"), "1"), NewStreams;

        /// `sm.unsolicited_ack_delay` for this endpoint; without it that of `[sm]`.
        unsolicited_ack_delay: Option<Duration> =
            None, optional(span(seconds(0)..=minutes(1)), "\"1s\""), NewStreams;

        /// `sm.ack_request_frequency` for this endpoint; without it that of `[sm]`.
        ack_request_frequency: Option<u32> =
            None, optional(count(0..=10_000, "stanzas"), "5"), NewStreams;

        /// `sm.ack_request_delay` for this endpoint; without it that of `[sm]`.
        ack_request_delay: Option<Duration> =
            None, optional(span(seconds(0)..=minutes(1)), "\"250ms\""), NewStreams;

        /// `sm.ack_timeout` for this endpoint; without it that of `[sm]`.
        ack_timeout: Option<Duration> =
            None, optional(span(seconds(1)..=hours(1)), "\"60s\""), NewStreams;

        /// `sm.resume_timeout` for this endpoint; without it that of `[sm]`.
        resume_timeout: Option<Duration> =
            None, optional(whole_seconds(seconds(0)..=days(7)), "\"10m\""), NewStreams;
    }
}

section! {
    /// How fast those may send who are in a tier: by their admission (`auth.jwt.tier_claim`, a list of
    /// tokens, the web application) or by their endpoint. It holds beside the bounds of `[limits]`.
    /// Only stanzas count, not acks and pings of the link. At least one of the two rates has to be
    /// set.
    Tier in "tier." {
        /// Who shares the rates: "user", all sessions of an account; "session", each its own; "ip", all
        /// sessions from an address, IPv6 addresses of one /64 as one; "endpoint", all sessions of an
        /// endpoint.
        per: TierPer = TierPer::User, choice(), Live;

        /// How many stanzas in how long.
        stanzas: Option<RateLimit> =
            None, optional(count_rate("stanzas", 1..=1_000_000_000), "\"5000/1m\""), Live;

        /// How many bytes of XML in how long. At least one stanza of `limits.max_stanza_bytes`.
        bytes: Option<RateLimit> =
            None, optional(size_rate(1000..=64 * 1024 * MIB as u64), "\"5MiB/1m\""), Live;

        /// How many stanzas may come at once, after a quiet time; without it as many as
        /// `tier.stanzas` counts.
        burst: Option<u64> = None, optional(count(1..=1_000_000_000, "stanzas"), "10000"), Live;

        /// The same in bytes; without it as many as `tier.bytes` counts.
        burst_bytes: Option<usize> = None, optional(size(10_000..=4096 * MIB), "\"64MiB\""), Live;

        /// What happens to what comes over the rates. "delay": it is served, and the client is not
        /// read before its time has come. "reject": the stanza is answered by `policy-violation` of
        /// the type `wait` and counts as handled; one that no error may answer is delayed. "close":
        /// the stream ends with `policy-violation`; many clients come back at once.
        on_exceed: OnExceed = OnExceed::Delay, choice(), Live;
    }
}

impl Endpoint {
    /// Where it is served, each path with a slash at its end: `path` and then `paths`.
    pub fn all_paths(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.path)
            .chain(&self.paths)
            .map(String::as_str)
    }
}

impl Tier {
    /// How many stanzas may come at once; 0 if they are not counted.
    pub fn stanzas_at_once(&self) -> u64 {
        let stanzas = self.stanzas.map_or(0, |rate| rate.amount);
        self.burst.filter(|_| stanzas != 0).unwrap_or(stanzas)
    }

    /// How many bytes may come at once; 0 if they are not counted.
    pub fn bytes_at_once(&self) -> u64 {
        let bytes = self.bytes.map_or(0, |rate| rate.amount);
        let burst = self.burst_bytes.map(|burst| burst as u64);
        burst.filter(|_| bytes != 0).unwrap_or(bytes)
    }
}

impl Sm {
    /// What holds at an endpoint that says so much of its own.
    pub fn with(&self, own: &EndpointSm) -> Self {
        let mut sm = self.clone();
        let frequencies = [
            (
                &mut sm.unsolicited_ack_frequency,
                own.unsolicited_ack_frequency,
            ),
            (&mut sm.ack_request_frequency, own.ack_request_frequency),
        ];
        for (value, own) in frequencies {
            *value = own.unwrap_or(*value);
        }
        let times = [
            (&mut sm.unsolicited_ack_delay, own.unsolicited_ack_delay),
            (&mut sm.ack_request_delay, own.ack_request_delay),
            (&mut sm.ack_timeout, own.ack_timeout),
            (&mut sm.resume_timeout, own.resume_timeout),
        ];
        for (value, own) in times {
            *value = own.unwrap_or(*value);
        }
        sm.enabled = own.enabled.unwrap_or(sm.enabled);
        sm
    }
}
