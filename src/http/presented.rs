//! What a request shows to be let in by: a ticket, a bearer token, cookies (X5, W6, O1).

use crate::auth::{Token, bearer};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The parameter of the query that holds a ticket.
pub const TICKET_PARAMETER: &str = "k";

/// The parameter of the query that holds a bearer token (RFC 6750 §2.3).
pub const TOKEN_PARAMETER: &str = "access_token";

/// `WWW-Authenticate` for a request that shows nothing (RFC 6750 §3.1).
pub const CHALLENGE: &str = "Bearer";

/// `WWW-Authenticate` for a token that is not taken, whatever is wrong with it (RFC 6750 §3.1).
pub const INVALID_TOKEN: &str = r#"Bearer error="invalid_token""#;

/// `WWW-Authenticate` for [`PresentedTwice`] (RFC 6750 §3.1).
pub const INVALID_REQUEST: &str = r#"Bearer error="invalid_request""#;

/// What a request shows. Nothing of it has been checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Presented {
    /// `?k=`, as it came: for [`Tickets::redeem`](crate::auth::Tickets::redeem).
    pub ticket: Option<String>,
    /// A bearer token.
    pub bearer: Option<Bearer>,
    /// The query without ticket and token, as it came: this may be kept and logged.
    pub query: Arc<str>,
}

/// A bearer token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// Of a form that a token can have.
    Token(Token),
    /// Of no such form, such as an empty one: as good as a wrong one.
    NoToken,
}

/// A ticket or a token is shown twice, by one way or by two (RFC 6750 §2): 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A ticket or a token may be shown once and in one way.")]
pub struct PresentedTwice;

impl Presented {
    /// Looks at the Authorization header, at the query, and at the cookie of this name. A cookie
    /// counts only where no token is shown otherwise, as browsers send it unasked; so does an
    /// Authorization header of another scheme, such as one for a proxy, not at all.
    ///
    /// # Errors
    ///
    /// [`PresentedTwice`]
    pub fn of(
        headers: &HeaderMap,
        query: Option<&str>,
        token_cookie: Option<&str>,
    ) -> Result<Self, PresentedTwice> {
        let (ticket, in_query, query) = sort_query(query.unwrap_or_default())?;
        let in_header = in_header(headers)?;
        if in_header.is_some() && in_query.is_some() {
            return Err(PresentedTwice);
        }
        let in_cookie =
            || cookie(headers, token_cookie?).map(|value| Bearer::of(Token::new(value)));
        Ok(Self {
            ticket,
            bearer: in_header.or(in_query).or_else(in_cookie),
            query: query.into(),
        })
    }
}

impl Bearer {
    fn of(token: Option<Token>) -> Self {
        token.map_or(Self::NoToken, Self::Token)
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("ticket", &self.ticket.is_some())
            .field("bearer", &self.bearer)
            .field("query", &self.query)
            .finish()
    }
}

/// The cookies of these names, as they came, without quotes. Of two with one name the first counts,
/// which is the one with the longer path (RFC 6265 §5.4).
pub fn cookies<'h>(headers: &'h HeaderMap, names: &[String]) -> BTreeMap<String, &'h str> {
    let find = |name: &String| Some((name.clone(), cookie(headers, name)?));
    names.iter().filter_map(find).collect()
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    Some(unquoted.unwrap_or(value))
}

fn in_header(headers: &HeaderMap) -> Result<Option<Bearer>, PresentedTwice> {
    let mut found = None;
    for value in headers.get_all(AUTHORIZATION) {
        // No text is of no scheme.
        let value = value.to_str().unwrap_or_default().trim();
        let scheme = value.split(' ').next().unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("Bearer") {
            continue;
        }
        if found.is_some() {
            return Err(PresentedTwice);
        }
        found = Some(Bearer::of(bearer::bearer(value)));
    }
    Ok(found)
}

/// Ticket, token, and what else there is.
type Sorted = (Option<String>, Option<Bearer>, String);

fn sort_query(query: &str) -> Result<Sorted, PresentedTwice> {
    let (mut ticket, mut token) = (None, None);
    let mut others = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_second = match &*decode(name) {
            TICKET_PARAMETER => ticket.replace(decode(value)).is_some(),
            TOKEN_PARAMETER => token
                .replace(Bearer::of(Token::new(&decode(value))))
                .is_some(),
            _ => {
                others.push(pair);
                false
            }
        };
        if is_second {
            return Err(PresentedTwice);
        }
    }
    Ok((ticket, token, others.join("&")))
}

/// As forms are encoded, except that `+` stays: it is part of tokens, and none holds a space.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        let parsed = all
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        parsed.collect()
    }

    fn token(text: &str) -> Option<Bearer> {
        Some(Bearer::Token(Token::new(text).unwrap()))
    }

    fn of_query(query: &str) -> Result<Presented, PresentedTwice> {
        Presented::of(&HeaderMap::new(), Some(query), None)
    }

    #[test]
    fn nothing_is_shown_by_most_requests() {
        let shown = Presented::of(&HeaderMap::new(), None, None).unwrap();
        assert_eq!(shown, Presented::default());
        let other = headers(&[(AUTHORIZATION, "Basic dTpw"), (COOKIE, "a=b")]);
        let shown = Presented::of(&other, Some("x=1"), Some("token")).unwrap();
        assert_eq!((shown.ticket, shown.bearer), (None, None));
    }

    /// X5
    #[test]
    fn x5_a_ticket_is_taken_out_of_the_query() {
        let shown = of_query("room=1&k=abc-_9&x=%20y&flag").unwrap();
        assert_eq!(shown.ticket.as_deref(), Some("abc-_9"));
        assert_eq!(&*shown.query, "room=1&x=%20y&flag");
        // What is written in another way means the same, and is taken out as well.
        let shown = of_query("%6B=a%62c&room=1").unwrap();
        assert_eq!(shown.ticket.as_deref(), Some("abc"));
        assert_eq!(&*shown.query, "room=1");
        assert_eq!(of_query("k").unwrap().ticket.as_deref(), Some(""));
    }

    /// W6: the header, the query, a cookie.
    #[test]
    fn w6_a_token_is_found_in_each_of_three_places() {
        let shown = Presented::of(&headers(&[(AUTHORIZATION, "bearer a.b.c")]), None, None);
        assert_eq!(shown.unwrap().bearer, token("a.b.c"));
        let shown = of_query("access_token=a.b%2Bc%3D&x=1").unwrap();
        assert_eq!(shown.bearer, token("a.b+c="));
        assert_eq!(&*shown.query, "x=1");
        assert_eq!(of_query("access_token=a+b").unwrap().bearer, token("a+b"));
        let with_cookie = headers(&[(COOKIE, "x=1; jwt=a.b.c;y=2")]);
        let shown = Presented::of(&with_cookie, None, Some("jwt")).unwrap();
        assert_eq!(shown.bearer, token("a.b.c"));
        assert_eq!(
            Presented::of(&with_cookie, None, None).unwrap().bearer,
            None
        );
        let shown = Presented::of(&with_cookie, Some("access_token=q"), Some("jwt")).unwrap();
        assert_eq!(shown.bearer, token("q"));
    }

    /// W6: an empty `access_token=` is a wrong token and not a crash.
    #[test]
    fn w6_what_cannot_be_a_token_is_shown_as_none() {
        for query in [
            "access_token=",
            "access_token",
            "access_token=a%20b",
            "access_token=%ff",
        ] {
            assert_eq!(
                of_query(query).unwrap().bearer,
                Some(Bearer::NoToken),
                "{query}"
            );
        }
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer é"] {
            let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
            let shown = Presented::of(&headers, None, None).unwrap().bearer;
            let is_text = value.to_str().is_ok();
            assert_eq!(shown, is_text.then_some(Bearer::NoToken), "{value:?}");
        }
    }

    /// RFC 6750 §2
    #[test]
    fn w6_what_is_shown_twice_is_refused() {
        for query in ["k=a&k=b", "access_token=a&access_token=a", "k=a&%6b=a"] {
            assert_eq!(of_query(query), Err(PresentedTwice), "{query}");
        }
        let header = headers(&[(AUTHORIZATION, "Bearer a")]);
        let both = Presented::of(&header, Some("access_token=a"), None);
        assert_eq!(both, Err(PresentedTwice));
        let mut twice = header.clone();
        twice.append(AUTHORIZATION, "Bearer b".parse().unwrap());
        assert_eq!(Presented::of(&twice, None, None), Err(PresentedTwice));
    }

    /// O1
    #[test]
    fn o1_the_cookies_that_are_asked_for_are_found_and_no_others() {
        let mut sent = headers(&[(COOKIE, "JSESSIONID=first; secret=no; empty=; q=\"a b\"")]);
        sent.append(COOKIE, "JSESSIONID=second; late=yes".parse().unwrap());
        let names = ["JSESSIONID", "empty", "q", "late", "missing", "jsessionid"];
        let found = cookies(&sent, &names.map(str::to_owned));
        let expected = [
            ("JSESSIONID", "first"),
            ("empty", ""),
            ("late", "yes"),
            ("q", "a b"),
        ];
        let expected: BTreeMap<_, _> = expected
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = of_query("k=hunter2&access_token=hunter3&x=1").unwrap();
        let shown = format!("{shown:?}");
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("x=1"));
    }
}
