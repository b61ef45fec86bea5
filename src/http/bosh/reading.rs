//! The body of a request, read no further than its sender may send.
//!
//! Who that is stands in the body itself: a `sid` among the first bytes. Past the bound for
//! strangers only those are read on who name the session of somebody that has logged in; whether
//! it is truly the `sid` of the `<body/>`, its parse tells afterwards.

use super::refusal::Refusal;
use crate::stream::StreamOptions;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use std::time::Duration;

/// A body may hold so many of the longest stanzas: a client sends what has gathered in one go.
const BODY_STANZAS: usize = 2;

/// Room for `<body/>` itself.
const WRAPPER_BYTES: usize = 4 * 1024;

/// The longest bodies, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub before_auth: usize,
    pub after_auth: usize,
}

impl Bounds {
    pub fn new(options: &StreamOptions) -> Self {
        let stanzas = options.max_stanza_bytes.saturating_mul(BODY_STANZAS);
        let before_auth = options.max_stanza_bytes_before_auth;
        Self {
            before_auth: before_auth.saturating_add(WRAPPER_BYTES),
            after_auth: stanzas.saturating_add(WRAPPER_BYTES),
        }
    }
}

/// Reads a whole body; what `Content-Length` announces is neither believed nor reserved (B-22).
///
/// `is_authenticated` is asked about a `sid`, at most once and only if the body passes the bound
/// for strangers.
pub(super) async fn read(
    request: Request<Body>,
    bounds: Bounds,
    timeout: Duration,
    is_authenticated: impl FnOnce(&str) -> bool,
) -> Result<Vec<u8>, Refusal> {
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > bounds.after_auth as u64) {
        return Err(Refusal::TooLarge);
    }
    let reading = async {
        let mut body = request.into_body();
        let mut bytes = Vec::new();
        gather(&mut body, &mut bytes, bounds.before_auth).await?;
        if bytes.len() > bounds.before_auth {
            if !named_sid(&bytes).is_some_and(is_authenticated) {
                return Err(Refusal::TooLarge);
            }
            gather(&mut body, &mut bytes, bounds.after_auth).await?;
        }
        match bytes.len() > bounds.after_auth {
            true => Err(Refusal::TooLarge),
            false => Ok(bytes),
        }
    };
    let read = tokio::time::timeout(timeout, reading).await;
    read.unwrap_or(Err(Refusal::TooSlow))
}

/// Reads until the body ends or is longer than `max_bytes`, by one read at most.
async fn gather(body: &mut Body, bytes: &mut Vec<u8>, max_bytes: usize) -> Result<(), Refusal> {
    while bytes.len() <= max_bytes {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame = frame.map_err(|_| Refusal::Unreadable)?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Ok(())
}

/// The first thing that looks like the attribute `sid`. Cost: O(bytes).
fn named_sid(bytes: &[u8]) -> Option<&str> {
    let is_name = |four: &[u8]| matches!(four, [b' ' | b'\t' | b'\r' | b'\n', b's', b'i', b'd']);
    let at = bytes.windows(4).position(is_name)?;
    let rest = bytes.get(at + 4..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, rest) = rest
        .split_first()
        .filter(|(q, _)| matches!(q, b'\'' | b'"'))?;
    let end = rest.iter().position(|byte| byte == quote)?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use proptest::prelude::*;
    use std::convert::Infallible;

    const BOUNDS: Bounds = Bounds {
        before_auth: 40,
        after_auth: 80,
    };

    /// Reads a body that comes in `pieces`, and tells how many of them were taken.
    async fn read_in(pieces: &[&'static str]) -> (Result<Vec<u8>, Refusal>, usize) {
        let pieces = pieces.to_vec();
        let mut body = pieces.into_iter();
        let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = taken.clone();
        let stream = futures_util::stream::iter(std::iter::from_fn(move || {
            let piece = body.next()?;
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Some(Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes())))
        }));
        let request = Request::new(Body::from_stream(stream));
        let read = read(request, BOUNDS, Duration::from_secs(1), |sid| sid == "good").await;
        (read, taken.load(std::sync::atomic::Ordering::Relaxed))
    }

    const TEN: &str = "0123456789";

    /// B-22
    #[tokio::test]
    async fn stranger_is_read_to_the_small_bound_and_not_one_piece_further() {
        let (read, _) = read_in(&[TEN; 4]).await;
        assert_eq!(read.map(|bytes| bytes.len()), Ok(40));
        assert_eq!(read_in(&[TEN; 20]).await, (Err(Refusal::TooLarge), 5));
        let bad = ["<body sid='bad'", TEN, TEN, TEN, TEN];
        assert_eq!(read_in(&bad).await, (Err(Refusal::TooLarge), 4));
    }

    /// B-22
    #[tokio::test]
    async fn client_that_has_logged_in_is_read_to_the_big_bound() {
        let mut pieces = vec!["<body s", "id", "='good'>", "<!-- -->"];
        pieces.extend([TEN; 3]);
        let (read, _) = read_in(&pieces).await;
        assert_eq!(read.map(|bytes| bytes.len()), Ok(55));
        pieces.extend([TEN; 5]);
        assert_eq!(read_in(&pieces).await, (Err(Refusal::TooLarge), 10));
    }

    #[test]
    fn sid_is_seen_as_xml_may_write_it() {
        for text in [
            "<body rid='1' sid='x'>",
            "<body\n\tsid = \"x\"/>",
            "<body xsid='y' sid='x'",
        ] {
            assert_eq!(named_sid(text.as_bytes()), Some("x"), "{text}");
        }
        for text in [
            "",
            "<body sid",
            "<body sid=",
            "<body sid='x",
            "<body rid='1'>",
            "<b sid=x>",
        ] {
            assert_eq!(named_sid(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_looked_at(bytes in "[ sid='\"x]{0,40}") {
            let _ = named_sid(bytes.as_bytes());
        }
    }
}
