//! Who may use the admin port.
//!
//! With a token, whoever has it. Without one the port is on loopback, and whoever is on this machine
//! may: people and programs, but not the pages that somebody on this machine happens to look at.
//! These can make a browser send requests here, and can give this machine a name of their own.

use super::problem::Problem;
use crate::config::Config;
use crate::http::page::names_loopback;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;

/// A shorter token can be guessed, and is refused at the start.
const TOKEN_BYTES_MIN: usize = 16;

/// A longer one is no token.
const TOKEN_BYTES_MAX: usize = 1024;

/// Why the admin port is not served. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The file of the token cannot be read.
    #[error("admin.token_file {}: {source}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// What is in the file is no token.
    #[error(
        "admin.token_file {}: it has to hold one line of {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} \
         visible ASCII characters", path.display()
    )]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// Others can reach it, and it would ask nobody.
    #[error(
        "listen.admin ({0}) can be reached from other machines and there is no admin.token_file"
    )]
    Open(SocketAddr),
}

#[derive(Clone)]
pub(super) enum Guard {
    /// Those on this machine may.
    Local,
    /// Whoever has the token of this digest may.
    Token([u8; 32]),
}

impl Guard {
    pub fn of(config: &Config) -> Result<Self, AdminError> {
        if let Some(path) = &config.admin.token_file {
            return Ok(Self::Token(digest(&read(path)?)));
        }
        match config.listen.admin {
            Some(address) if !address.ip().to_canonical().is_loopback() => {
                Err(AdminError::Open(address))
            }
            _ => Ok(Self::Local),
        }
    }

    /// What a request is answered that may not pass.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        match self {
            Self::Local => is_local(headers).err().map(|why| {
                let problem = Problem::of(StatusCode::FORBIDDEN).because(why);
                problem.into_response()
            }),
            Self::Token(expected) => has_token(headers, expected).err().map(unauthorized),
        }
    }
}

/// Lets through who may pass.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.refusal(request.headers()) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    }
}

fn read(path: &Path) -> Result<String, AdminError> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let limit = TOKEN_BYTES_MAX as u64 + 3;
    let read = file.and_then(|file| file.take(limit).read_to_string(&mut text));
    read.map_err(|source| AdminError::TokenFile {
        path: path.to_owned(),
        source,
    })?;
    let token = text.trim_end_matches(['\r', '\n']);
    let is_token = token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token || !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) {
        return Err(AdminError::Token {
            path: path.to_owned(),
        });
    }
    Ok(token.to_owned())
}

/// Digests have one length, so that the time of an answer does not tell that of the token.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What was wrong with the credentials, as RFC 6750 §3.1 names it; `None`: there were none.
fn has_token(headers: &HeaderMap, expected: &[u8; 32]) -> Result<(), Option<&'static str>> {
    let header = headers.get(header::AUTHORIZATION).ok_or(None)?;
    let header = header.to_str().map_err(|_| Some("invalid_request"))?;
    let (scheme, token) = header.split_once(' ').ok_or(Some("invalid_request"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(None);
    }
    match digest(token.trim_start()).ct_eq(expected).into() {
        true => Ok(()),
        false => Err(Some("invalid_token")),
    }
}

fn unauthorized(error: Option<&'static str>) -> Response {
    let problem = Problem::of(StatusCode::UNAUTHORIZED);
    let problem = match error {
        None => problem.because("the token of admin.token_file is wanted: Authorization: Bearer …"),
        Some("invalid_token") => problem.because("this is not the token of admin.token_file"),
        Some(_) => problem.because("this is no header of the kind Authorization: Bearer …"),
    };
    let mut response = problem.into_response();
    let challenge = match error {
        None => HeaderValue::from_static("Bearer realm=\"stanzad\""),
        Some("invalid_token") => {
            HeaderValue::from_static("Bearer realm=\"stanzad\", error=\"invalid_token\"")
        }
        Some(_) => HeaderValue::from_static("Bearer realm=\"stanzad\", error=\"invalid_request\""),
    };
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// Whether a request comes from this machine and from no page of somebody else.
fn is_local(headers: &HeaderMap) -> Result<(), &'static str> {
    if !names_loopback(headers) {
        return Err(
            "without admin.token_file this port answers to localhost and to loopback addresses \
             only, and not through a proxy",
        );
    }
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str());
    let host = text(header::HOST).and_then(Result::ok).unwrap_or_default();
    let own = format!("http://{host}");
    let from_elsewhere = match text(header::ORIGIN) {
        None => false,
        Some(Ok(origin)) => !origin.eq_ignore_ascii_case(&own),
        Some(Err(_)) => true,
    };
    // Another port of this machine is the same site, and not ours.
    let sent_from_elsewhere = match text(header::HeaderName::from_static("sec-fetch-site")) {
        None => false,
        Some(site) => !matches!(site, Ok("same-origin" | "none")),
    };
    match from_elsewhere || sent_from_elsewhere {
        true => Err("without admin.token_file this port does not answer pages of elsewhere"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn a_request_from_this_machine_is_answered_and_one_of_a_foreign_page_is_not() {
        let here = ("host", "127.0.0.1:5290");
        for (pairs, wanted) in [
            (vec![here], true),
            (vec![("host", "localhost:5290")], true),
            (vec![("host", "[::1]:5290")], true),
            (vec![here, ("origin", "http://127.0.0.1:5290")], true),
            (vec![here, ("sec-fetch-site", "same-origin")], true),
            (vec![here, ("sec-fetch-site", "none")], true),
            (vec![], false),
            (vec![("host", "rebound.example.org:5290")], false),
            (vec![here, ("origin", "http://127.0.0.1:8080")], false),
            (vec![here, ("origin", "https://127.0.0.1:5290")], false),
            (vec![here, ("origin", "null")], false),
            (vec![here, ("sec-fetch-site", "cross-site")], false),
            (vec![here, ("sec-fetch-site", "same-site")], false),
            (vec![here, ("x-forwarded-for", "192.0.2.1")], false),
        ] {
            assert_eq!(is_local(&headers(&pairs)).is_ok(), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn the_token_and_no_other_is_taken() {
        let expected = digest("0123456789abcdef");
        let tried = |value| has_token(&headers(&[("authorization", value)]), &expected);
        assert_eq!(tried("Bearer 0123456789abcdef"), Ok(()));
        assert_eq!(tried("bearer  0123456789abcdef"), Ok(()));
        let wrong = Err(Some("invalid_token"));
        for value in [
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcde",
            "Bearer ",
        ] {
            assert_eq!(tried(value), wrong, "{value}");
        }
        assert_eq!(tried("Basic 0123456789abcdef"), Err(None));
        assert_eq!(tried("Bearer"), Err(Some("invalid_request")));
        assert_eq!(has_token(&HeaderMap::new(), &expected), Err(None));
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        assert!(matches!(read(&path), Err(AdminError::TokenFile { .. })));
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        for text in [
            "",
            "\n",
            "too short",
            "0123456789 abcdef",
            "0123456789abcdef\nx",
            &long,
        ] {
            write(text);
            assert!(
                matches!(read(&path), Err(AdminError::Token { .. })),
                "{text:?}"
            );
        }
        for text in [
            "0123456789abcdef",
            "0123456789abcdef\n",
            "0123456789abcdef\r\n",
        ] {
            write(text);
            assert_eq!(read(&path).unwrap(), "0123456789abcdef");
        }
    }
}
