//! `[auth]`, `[registration]`, `[web]` and `[log]`.

use std::path::PathBuf;

use crate::config::kinds::{choice, count, optional, path, switch};
use crate::config::option::section;
use crate::config::types::{LogFormat, LogLevel, PlainPolicy, ResourceConflict};

section! {
    /// How clients log in.
    Auth in "auth." {
        /// The rounds of PBKDF2 for passwords that are set from now on; those that are set keep
        /// theirs. It costs each client and each PLAIN login about 0.15 milliseconds per thousand.
        /// RFC 7677 §4 allows no less than 4096. Every client is told the rounds of an
        /// account before it logs in: one with others than these can be told to exist.
        scram_iterations: u32 = 10_000, count(4096..=1_000_000, "rounds"), NewStreams;

        /// Where PLAIN is offered: "private" on links that nobody can listen to (TLS, loopback, a
        /// trusted proxy that says https), "never" nowhere.
        plain: PlainPolicy = PlainPolicy::Private, choice(), NewStreams;

        /// Whether ANONYMOUS is offered: anybody gets a session with an address that ends with it.
        anonymous: bool = false, switch(), NewStreams;

        /// How many logins may fail in one stream before it ends. RFC 6120 §6.4.5 recommends 2 to 5.
        failures_per_stream: u32 = 5, count(1..=100, "failures"), NewStreams;

        /// Who wins when a client asks for a resource that another session of its account has
        /// (RFC 6120 §7.7.2.2). "replace": the new one, and the old one ends with `conflict`, so
        /// that a client that lost its link unnoticed gets in again. "refuse": the old one while a
        /// stream carries it, and the new one gets `conflict`; a hibernating session gives way in
        /// any case.
        resource_conflict: ResourceConflict = ResourceConflict::Replace, choice(), NewStreams;
    }
}

section! {
    /// Accounts that users make themselves (XEP-0077).
    Registration in "registration." {
        /// Whether anybody who reaches the server can make an account.
        enabled: bool = false, switch(), NewStreams;

        /// Whether users can delete their own account, with all that is kept for it (XEP-0077
        /// §3.2). If not, they get `not-allowed`.
        cancellation: bool = false, switch(), NewStreams;
    }
}

section! {
    /// What is served to browsers beside the protocol.
    Web in "web." {
        /// Whether `/` shows the console: log in, chat, watch the wire. It knows no more than any
        /// client.
        console: bool = true, switch(), Restart;

        /// The directory of a web client to serve at `/client/`, such as `node_modules/converse.js`.
        /// Everything in it is public.
        client_dir: Option<PathBuf> = None, optional(path(), "\"node_modules/converse.js\""), Restart;
    }
}

section! {
    /// The log, on standard error.
    Log in "log." {
        /// How much is logged. The variable STANZAD_LOG goes before it and takes the finer form of
        /// tracing, such as `info,stanzad::stream=trace`.
        level: LogLevel = LogLevel::Info, choice(), Live;

        /// "human" for eyes, "json" for one object on each line, "auto" for the first on a terminal
        /// and the second elsewhere.
        format: LogFormat = LogFormat::Auto, choice(), Restart;
    }
}
