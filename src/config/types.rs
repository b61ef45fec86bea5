//! The values that options choose between.

use std::time::Duration;

/// One of a few words.
pub(crate) trait Choice: Copy + PartialEq + Send + Sync + 'static {
    /// Every value with the word that the operator writes for it.
    const WORDS: &'static [(&'static str, Self)];

    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, value)| *value == self)
            .map_or("", |(word, _)| word)
    }
}

macro_rules! choices {
    (
        $(#[$about:meta])+
        $name:ident {
            $( $(#[$doc:meta])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$doc])+ $variant, )+
        }

        impl Choice for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

choices! {
    /// What of a session outlives what (`sm.durability`).
    Durability {
        /// A session lives as long as the process.
        Memory = "memory",
        /// A session outlives a clean stop.
        Restart = "restart",
        /// A session outlives `kill -9`.
        Always = "always",
    }
}

choices! {
    /// How trusted proxies name the client (`listen.forwarded_header`).
    ForwardedHeader {
        /// By `X-Forwarded-For` and `X-Forwarded-Proto`.
        XForwardedFor = "x-forwarded-for",
        /// By `Forwarded` (RFC 7239).
        Forwarded = "forwarded",
    }
}

choices! {
    /// Who keeps a resource that two clients want (`auth.resource_conflict`).
    ResourceConflict {
        /// Who comes; the session that has it ends.
        Replace = "replace",
        /// Who has it, as long as a stream carries the session.
        Refuse = "refuse",
    }
}

choices! {
    /// What happens to what an account sends over its rate (`limits.user_excess`).
    UserExcess {
        /// It is served, and its sender is read more slowly.
        Slow = "slow",
        /// It is answered by an error.
        Refuse = "refuse",
        /// It ends the stream.
        Close = "close",
    }
}

choices! {
    /// Where SASL PLAIN is offered (`auth.plain`).
    PlainPolicy {
        /// On private links only: TLS, loopback, or a trusted proxy that says https.
        Private = "private",
        /// Nowhere.
        Never = "never",
    }
}

choices! {
    /// How much is logged (`log.level`).
    LogLevel {
        /// What an operator has to mend.
        Error = "error",
        /// And what an operator should look at.
        Warn = "warn",
        /// And one line for each thing that happens to a session.
        Info = "info",
        /// And why decisions fell as they did.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
}

choices! {
    /// How a line of the log looks (`log.format`).
    LogFormat {
        /// Human on a terminal, JSON otherwise.
        Auto = "auto",
        /// For eyes.
        Human = "human",
        /// One JSON object on each line.
        Json = "json",
    }
}

choices! {
    /// A way to be let in at an endpoint (`endpoint.auth`).
    AuthMethod {
        /// Everybody is let in; who it is turns out in the stream.
        Anybody = "none",
        /// By a ticket in the query (`[auth.ticket]`).
        Ticket = "ticket",
        /// By a signed token (`[auth.jwt]`).
        Jwt = "jwt",
        /// By a token of a list (`[auth.token]`).
        Token = "token",
        /// By what the web application says (`[auth.session]`).
        Session = "session",
    }
}

choices! {
    /// Who shares the rates of a tier (`tier.per`).
    TierPer {
        /// All sessions of an account.
        User = "user",
        /// Nobody: each session has its own.
        Session = "session",
        /// All sessions from one address; IPv6 addresses of one /64 count as one.
        Ip = "ip",
        /// All sessions of an endpoint.
        Endpoint = "endpoint",
    }
}

choices! {
    /// What happens to what is sent over the rates of a tier (`tier.on_exceed`).
    OnExceed {
        /// It is served, and its sender is not read before its time has come.
        Delay = "delay",
        /// It is answered by an error.
        Reject = "reject",
        /// It ends the stream.
        Close = "close",
    }
}

choices! {
    /// A handler that comes with the server (`handlers`).
    BuiltInHandler {
        /// Sends each message back to who sent it.
        Echo = "echo",
    }
}

/// So much in so long, as `stanzas` and `bytes` of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Stanzas or bytes, at least 1.
    pub amount: u64,
    /// A second to a day.
    pub per: Duration,
}

/// Which web pages may open a stream (`endpoint.origins`).
///
/// A client that sends no `Origin` is no web page and is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Pages from the origin of `public_url`.
    SameOrigin,
    /// Pages from anywhere.
    Any,
    /// Pages from these origins (RFC 6454 §6.2), each `scheme://host` or `scheme://host:port`, in
    /// lower case and without a default port.
    List(Vec<String>),
}
