//! `[registration]`, `[web]`, `[admin]` and `[log]`.

use std::path::PathBuf;

use crate::config::kinds::{choice, optional, path, switch};
use crate::config::option::section;
use crate::config::types::{LogFormat, LogLevel};

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
    /// The interface for operators and applications at `listen.admin`.
    Admin in "admin." {
        /// The file of the token that requests to `/v1/` and `/metrics` have to carry as
        /// `Authorization: Bearer`: one line of 16 to 1024 visible ASCII characters. It is read at the
        /// start. `/healthz` and `/readyz` ask for none. It may be absent only while `listen.admin` is
        /// a loopback address; then nobody is asked.
        token_file: Option<PathBuf> = None, optional(path(), "\"admin.token\""), Restart;

        /// Whether there is a page for operators: sessions, throughput, the latency of acks.
        dashboard: bool = true, switch(), Restart;
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

        /// The file that events are appended to, one JSON object on each line: sessions that open,
        /// are resumed and end, each with the reason. They are in the log, too, in fewer words.
        events: Option<PathBuf> = None, optional(path(), "\"events.json\""), Restart;
    }
}
