//! Who is let in: what is asked before the 101, and before a BOSH session is made.

use crate::auth::Admission;
use crate::http::peer::Peer;
use crate::http::presented::{CHALLENGE, INVALID_REQUEST, Presented};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long all gates together may take; then the client hears 503. Longer than
/// `auth.session.timeout` can be, for the question and for its turn.
const GATE_TIMEOUT: Duration = Duration::from_secs(65);

/// What a client shows before it is let in. `Debug` shows nothing of it that lets in: no headers, and
/// of the query what may be kept.
pub struct Handshake {
    endpoint: Arc<str>,
    path: Arc<str>,
    query: String,
    headers: HeaderMap,
    peer: Peer,
    presented: Presented,
    admission: Admission,
}

impl Handshake {
    /// That of a request to an endpoint.
    ///
    /// # Errors
    ///
    /// 400: it shows a ticket or a token twice (RFC 6750 §2).
    pub fn of<B>(
        request: &Request<B>,
        endpoint: Arc<str>,
        path: Arc<str>,
        peer: Peer,
        gates: &Gates,
    ) -> Result<Self, Refused> {
        let (headers, query) = (request.headers(), request.uri().query());
        let presented =
            Presented::of(headers, query, gates.token_cookie.as_deref()).map_err(|error| {
                Refused {
                    challenge: Some(HeaderValue::from_static(INVALID_REQUEST)),
                    ..Refused::new(StatusCode::BAD_REQUEST, error.to_string())
                }
            })?;
        Ok(Self {
            endpoint,
            path,
            query: query.unwrap_or_default().to_owned(),
            headers: headers.clone(),
            peer,
            presented,
            admission: Admission::default(),
        })
    }

    /// The ticket or the token that it shows.
    pub fn presented(&self) -> &Presented {
        &self.presented
    }

    /// The name of the `[[endpoint]]`.
    pub fn endpoint(&self) -> &Arc<str> {
        &self.endpoint
    }

    /// The path, without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query as it came, secrets included: not for the log. Empty if there was none.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The first parameter of this name in the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        let value = value.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&value).decode_utf8();
        decoded.ok().map(std::borrow::Cow::into_owned)
    }

    /// All headers, as they came.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::COOKIE).into_iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let mut pairs = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The address of the client, as far as proxies that are trusted tell it.
    pub fn address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Whether nobody can listen in.
    pub fn is_private(&self) -> bool {
        self.peer.link_is_private()
    }

    /// What the gates before this one have found: that of a ticket or a token, for one.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("endpoint", &self.endpoint)
            .field("path", &self.path)
            .field("address", &self.address())
            .field("presented", &self.presented)
            .finish_non_exhaustive()
    }
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// 4xx or 5xx.
    pub status: StatusCode,
    /// `WWW-Authenticate`, with a 401 (RFC 9110 §11.6.1).
    pub challenge: Option<HeaderValue>,
    /// For the log alone: why.
    pub reason: String,
}

impl Refused {
    /// With this status, for this reason.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            challenge: None,
            reason: reason.into(),
        }
    }

    /// Tells the operator.
    pub fn log(&self, endpoint: &str, address: IpAddr) {
        let (status, reason) = (self.status.as_u16(), &*self.reason);
        tracing::info!(endpoint, %address, status, reason, "not let in");
    }

    /// What the client hears: the status, and nothing of the reason.
    pub fn response(self) -> Response<Body> {
        let words = self.status.canonical_reason().unwrap_or("Refused");
        let mut response = Response::new(Body::from(format!("{words}.\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// What a gate says.
#[derive(Debug)]
pub enum Decision {
    /// It may come in, like this.
    Admit(Admission),
    /// It may not.
    Refuse(Refused),
    /// It shows nothing that this gate knows: the next one is asked.
    Pass,
}

/// The future of [`Gate::decide`].
pub type Deciding<'a> = Pin<Box<dyn Future<Output = Decision> + Send + 'a>>;

/// One way to be let in.
pub trait Gate: Send + Sync + 'static {
    /// Decides about a client.
    fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a>;
}

/// Lets anybody in: `auth = ["none"]`.
#[derive(Debug, Clone, Copy)]
pub struct Open;

impl Gate for Open {
    fn decide<'a>(&'a self, _handshake: &'a Handshake) -> Deciding<'a> {
        Box::pin(async { Decision::Admit(Admission::default()) })
    }
}

/// The gates of an endpoint.
#[derive(Clone, Default)]
pub struct Gates {
    /// In this order; the first that knows what the client shows decides. None: anybody may come in.
    pub ways: Vec<Arc<dyn Gate>>,
    /// Asked after them, of everybody whom they let in, and may refuse or say more.
    pub last: Option<Arc<dyn Gate>>,
    /// The cookie that may hold a bearer token.
    pub token_cookie: Option<Arc<str>>,
}

impl Gates {
    /// Whether nobody is asked.
    pub fn are_open(&self) -> bool {
        self.ways.is_empty() && self.last.is_none()
    }

    /// Decides about a client. `None`: nothing is to be said of it.
    ///
    /// # Errors
    ///
    /// [`Refused`]: by a gate, with 401 if it shows nothing that any of them knows, with 503 if
    /// they take too long.
    pub async fn admit(&self, mut handshake: Handshake) -> Result<Option<Arc<Admission>>, Refused> {
        let deciding = self.decide(&mut handshake);
        let late = |_| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the gates took too long");
        tokio::time::timeout(GATE_TIMEOUT, deciding)
            .await
            .map_err(late)??;
        let admission = handshake.admission;
        if admission.has_too_much_data() {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Refused::new(status, "the admission has too much data"));
        }
        Ok((!admission.is_empty()).then(|| Arc::new(admission)))
    }

    async fn decide(&self, handshake: &mut Handshake) -> Result<(), Refused> {
        if !self.ways.is_empty() {
            handshake.admission = self.first_to_know(handshake).await?;
        }
        if let Some(last) = &self.last {
            match last.decide(handshake).await {
                Decision::Admit(admission) => handshake.admission = admission,
                Decision::Refuse(refused) => return Err(refused),
                Decision::Pass => {}
            }
        }
        Ok(())
    }

    async fn first_to_know(&self, handshake: &Handshake) -> Result<Admission, Refused> {
        for gate in &self.ways {
            match gate.decide(handshake).await {
                Decision::Admit(admission) => return Ok(admission),
                Decision::Refuse(refused) => return Err(refused),
                Decision::Pass => {}
            }
        }
        let mut refused = Refused::new(StatusCode::UNAUTHORIZED, "nothing to be let in by");
        refused.challenge = Some(HeaderValue::from_static(CHALLENGE));
        Err(refused)
    }
}

impl std::fmt::Debug for Gates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ways, last) = (self.ways.len(), self.last.is_some());
        write!(f, "Gates {{ {ways} ways, last: {last} }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    struct Knows(&'static str);

    impl Gate for Knows {
        fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a> {
            Box::pin(async move {
                match handshake.parameter(self.0).as_deref() {
                    None => Decision::Pass,
                    Some("good") => Decision::Admit(Admission {
                        login: Some(self.0.to_owned()),
                        ..Admission::default()
                    }),
                    Some(_) => Decision::Refuse(Refused::new(StatusCode::FORBIDDEN, "bad")),
                }
            })
        }
    }

    struct Never;

    impl Gate for Never {
        fn decide<'a>(&'a self, _handshake: &'a Handshake) -> Deciding<'a> {
            Box::pin(std::future::pending())
        }
    }

    fn handshake(query: &str) -> Handshake {
        let request = Request::get(format!("/ws/?{query}"))
            .header("Cookie", "a=1; SID=x=y")
            .header("Cookie", "b=2")
            .body(())
            .unwrap();
        let peer = Peer::direct(SocketAddr::from(([127, 0, 0, 1], 1)));
        let gates = Gates::default();
        Handshake::of(&request, "web".into(), "/ws".into(), peer, &gates).unwrap()
    }

    fn gates(ways: Vec<Arc<dyn Gate>>) -> Gates {
        Gates {
            ways,
            ..Gates::default()
        }
    }

    async fn login(gates: &Gates, query: &str) -> Result<Option<String>, StatusCode> {
        let admitted = gates.admit(handshake(query)).await;
        let admitted = admitted.map_err(|refused| refused.status)?;
        Ok(admitted.and_then(|admission| admission.login.clone()))
    }

    #[tokio::test]
    async fn the_first_gate_that_knows_what_is_shown_decides() {
        let gates = gates(vec![Arc::new(Knows("k")), Arc::new(Knows("t"))]);
        assert_eq!(login(&gates, "t=good").await, Ok(Some("t".to_owned())));
        assert_eq!(
            login(&gates, "t=good&k=good").await,
            Ok(Some("k".to_owned()))
        );
        let refused = Err(StatusCode::FORBIDDEN);
        assert_eq!(login(&gates, "t=good&k=bad").await, refused);
        assert_eq!(login(&gates, "x=good").await, Err(StatusCode::UNAUTHORIZED));
    }

    struct Generous(usize);

    impl Gate for Generous {
        fn decide<'a>(&'a self, _handshake: &'a Handshake) -> Deciding<'a> {
            let admission = Admission {
                data: [("k".to_owned(), "x".repeat(self.0 - 1))].into(),
                ..Admission::default()
            };
            Box::pin(async { Decision::Admit(admission) })
        }
    }

    #[tokio::test]
    async fn an_admission_with_too_much_data_is_refused() {
        let most = Admission::DATA_BYTES_MAX;
        let fits = gates(vec![Arc::new(Generous(most))]);
        assert_eq!(login(&fits, "").await, Ok(None));
        let over = gates(vec![Arc::new(Generous(most + 1))]);
        assert_eq!(
            login(&over, "").await,
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        );
    }

    #[tokio::test]
    async fn an_open_gate_lets_in_whoever_shows_nothing() {
        let gates = gates(vec![Arc::new(Knows("k")), Arc::new(Open)]);
        assert_eq!(login(&gates, "").await, Ok(None));
        assert_eq!(login(&gates, "k=bad").await, Err(StatusCode::FORBIDDEN));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_that_hangs_is_a_503() {
        let gates = gates(vec![Arc::new(Never)]);
        let unavailable = Err(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(login(&gates, "").await, unavailable);
    }

    #[tokio::test]
    async fn the_last_gate_is_asked_of_everybody() {
        let gates = Gates {
            ways: vec![Arc::new(Open)],
            last: Some(Arc::new(Knows("app"))),
            ..Gates::default()
        };
        assert_eq!(login(&gates, "app=good").await, Ok(Some("app".to_owned())));
        assert_eq!(login(&gates, "app=no").await, Err(StatusCode::FORBIDDEN));
        assert_eq!(login(&gates, "").await, Ok(None));
    }

    #[test]
    fn debug_shows_nothing_that_lets_in() {
        let shown = format!("{:?}", handshake("k=hunter2&access_token=hunter3&room=1"));
        assert!(shown.contains("room=1"), "{shown}");
        for secret in ["hunter", "SID", "x=y"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn cookies_and_parameters_are_found_by_name() {
        let shown = handshake("a=1&name=J%C3%BCrgen+x&b");
        assert_eq!(shown.cookie("SID"), Some("x=y"));
        assert_eq!(shown.cookie("b"), Some("2"));
        assert_eq!(shown.cookie("c"), None);
        assert_eq!(shown.parameter("name").as_deref(), Some("Jürgen x"));
        assert_eq!(shown.parameter("b"), None);
    }
}
