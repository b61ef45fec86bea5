//! `[auth]` and the sections in it.

use std::path::PathBuf;
use std::time::Duration;

use super::Config;
use crate::config::kinds::{
    choice, count, header_names, http_url, line, optional, path, span, switch, tokens,
    whole_seconds,
};
use crate::config::option::section;
use crate::config::types::{PlainPolicy, ResourceConflict};
use crate::config::units::{days, hours, minutes, seconds};

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
    sections {
        ticket: TicketAuth,
        jwt: JwtAuth,
        token: TokenAuth,
        session: SessionAuth,
    }
}

section! {
    /// Tickets: addresses with a `?k=` that let one client in once, made by `POST /v1/tickets` or by
    /// the program around the server. They are good until the server restarts, at most. For
    /// `endpoint.auth = ["ticket"]`.
    TicketAuth in "auth.ticket." {
        /// How long a ticket is good if whoever asks for it names no time.
        ttl: Duration = seconds(60), whole_seconds(seconds(1)..=hours(1)), NewStreams;
    }
}

section! {
    /// Signed tokens (JWT, RFC 7519) of an identity provider. For `endpoint.auth = ["jwt"]` and for
    /// SASL OAUTHBEARER. The session ends when its token does.
    JwtAuth in "auth.jwt." {
        /// What the claim `iss` has to be. If it is absent, every issuer will do that has one of the
        /// keys.
        issuer: Option<String> = None, optional(line(), "\"https://id.example.org\""), NewStreams;

        /// What the claim `aud` has to be, or to have among others. If it is absent, a token that was
        /// made for another service will do, too.
        audience: Option<String> = None, optional(line(), "\"xmpp\""), NewStreams;

        /// Where the keys of the issuer are fetched from, as a JWKS (RFC 7517). This or
        /// `auth.jwt.jwks_file`, and not both.
        jwks_url: Option<String> =
            None, optional(http_url(), "\"https://id.example.org/jwks.json\""), NewStreams;

        /// The file of those keys. It is read again on SIGHUP.
        jwks_file: Option<PathBuf> = None, optional(path(), "\"jwks.json\""), NewStreams;

        /// How much the clock of the issuer may differ from ours, at `exp` and at `nbf`.
        leeway: Duration = seconds(30), whole_seconds(seconds(0)..=minutes(10)), NewStreams;

        /// How often the keys are fetched again. A token with a key that is not known has them fetched
        /// at once, but no more often than every 10 seconds.
        refresh: Duration = minutes(10), span(seconds(10)..=days(1)), NewStreams;

        /// The claim that names the account: a bare address, or its part before the `@` for
        /// `domain`.
        user_claim: String = "sub".to_owned(), line(), NewStreams;

        /// The claim that names the tier, before that of the endpoint. A token that names a tier that
        /// there is not is refused.
        tier_claim: Option<String> = None, optional(line(), "\"tier\""), NewStreams;

        /// The claim that names the login at the web application, so that `DELETE /v1/logins/` ends
        /// its sessions.
        login_claim: Option<String> = None, optional(line(), "\"sid\""), NewStreams;

        /// The cookie that a browser shows its token in, where neither the header `Authorization` nor
        /// the query has one: here, and of `[auth.token]`. If it is absent, cookies are not looked at.
        cookie: Option<String> = None, optional(line(), "\"jwt\""), NewStreams;

        /// Whether a client may show its token in the stream, too: by SASL OAUTHBEARER (RFC 7628),
        /// offered where PLAIN could be. It has no meaning while neither `[auth.jwt]` nor
        /// `[auth.token]` is set up.
        oauthbearer: bool = true, switch(), NewStreams;
    }
}

section! {
    /// Tokens of a list. For `endpoint.auth = ["token"]` and for SASL OAUTHBEARER.
    TokenAuth in "auth.token." {
        /// The file of the tokens, one on each line: the SHA-256 of the token in hex, the account, and
        /// if need be a tier, with spaces between them. It is read again on SIGHUP.
        file: Option<PathBuf> = None, optional(path(), "\"tokens.txt\""), NewStreams;
    }
}

section! {
    /// The web application is asked about each client, and its answer decides. For
    /// `endpoint.auth = ["session"]`.
    SessionAuth in "auth.session." {
        /// The URL that is asked, by a POST with a JSON object. 200 with a JSON object lets the client
        /// in; 401 and 403 are passed on to it.
        url: Option<String> =
            None, optional(http_url(), "\"http://127.0.0.1:8080/internal/admit\""), NewStreams;

        /// The cookies that are passed on, by their names.
        cookies: Vec<String> = Vec::new(), tokens("cookies", "[\"JSESSIONID\"]"), NewStreams;

        /// The headers of the request that are passed on, by their names.
        headers: Vec<String> = Vec::new(), header_names("[\"x-session\"]"), NewStreams;

        /// How long the answer may take. Then the client gets 503.
        timeout: Duration = seconds(3), span(Duration::from_millis(100)..=seconds(30)), NewStreams;
    }
}

impl Config {
    /// Whether SASL OAUTHBEARER is offered: it is not switched off, and there are tokens to look at.
    pub fn oauthbearer(&self) -> bool {
        let jwt = &self.auth.jwt;
        let keys = jwt.jwks_url.is_some() || jwt.jwks_file.is_some();
        jwt.oauthbearer && (keys || self.auth.token.file.is_some())
    }
}
