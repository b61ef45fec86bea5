//! One request, one answer, within bounds; against a server in a few lines.

use super::*;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Answers each request by what a function makes of its head and body, and keeps what it was asked.
pub(crate) struct TinyServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

/// A status line, further header lines, and a body; `None`: silence.
pub(crate) type Told = Option<(&'static str, &'static str, String)>;

impl TinyServer {
    pub(crate) async fn start(answer: impl Fn(&str) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, None, answer)
    }

    fn on(
        listener: TcpListener,
        tls: Option<tokio_rustls::TlsAcceptor>,
        answer: impl Fn(&str) -> Told + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (book, answer) = (asked.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            let mut links = tokio::task::JoinSet::new();
            loop {
                let (link, _) = listener.accept().await.unwrap();
                let (book, answer, tls) = (book.clone(), answer.clone(), tls.clone());
                links.spawn(async move {
                    match tls {
                        None => serve(link, &book, &*answer).await,
                        Some(tls) => {
                            if let Ok(link) = tls.accept(link).await {
                                serve(link, &book, &*answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// Head and body of each request.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for TinyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
    io: IO,
    book: &Mutex<Vec<String>>,
    answer: &(impl Fn(&str) -> Told + ?Sized),
) {
    let mut io = BufReader::new(io);
    while let Some(request) = read(&mut io).await {
        book.lock().unwrap().push(request.clone());
        let Some((status, headers, body)) = answer(&request) else {
            return std::future::pending().await;
        };
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        if io.write_all(text.as_bytes()).await.is_err() {
            return;
        }
        let _ = io.flush().await;
    }
}

async fn read<IO: AsyncRead + Unpin>(io: &mut BufReader<IO>) -> Option<String> {
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if io.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        request.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    io.read_exact(&mut body).await.ok()?;
    request.push_str(&String::from_utf8_lossy(&body));
    Some(request)
}

pub(crate) fn fetcher() -> Fetcher {
    Fetcher::new(FetchOptions {
        timeout: Duration::from_secs(2),
        body_bytes_max: 1000,
        more_roots: Vec::new(),
    })
    .unwrap()
}

fn ok(body: &str) -> Told {
    Some(("200 OK", "", body.to_owned()))
}

#[tokio::test]
async fn a_get_and_a_post_bring_status_and_body() {
    let server = TinyServer::start(|request| match request.starts_with("GET ") {
        true => ok("got"),
        false => Some(("418 I'm a teapot", "", "posted".to_owned())),
    })
    .await;
    let fetcher = fetcher();
    let got = fetcher.get(&server.url("/keys?a=b")).await.unwrap();
    assert_eq!((got.status.as_u16(), &got.body[..]), (200, &b"got"[..]));
    let url = server.url("/ask");
    let posted = fetcher.post_json(&url, b"{\"a\":1}".to_vec());
    let posted = posted.await.unwrap();
    assert_eq!(
        (posted.status.as_u16(), &posted.body[..]),
        (418, &b"posted"[..])
    );
    let asked = server.asked();
    assert!(
        asked[0].starts_with("GET /keys?a=b HTTP/1.1\r\n"),
        "{}",
        asked[0]
    );
    assert!(
        asked[1].starts_with("POST /ask HTTP/1.1\r\n"),
        "{}",
        asked[1]
    );
    assert!(asked[1].contains("content-type: application/json\r\n"));
    assert!(asked[1].ends_with("\r\n\r\n{\"a\":1}"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let server = TinyServer::start(|_| Some(("302 Found", "location: /other\r\n", String::new())));
    let server = server.await;
    let answer = fetcher().get(&server.url("/")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 302);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_body_up_to_the_bound_is_read_and_a_longer_one_is_not() {
    let server = TinyServer::start(|request| {
        let length = if request.contains("/long") {
            1001
        } else {
            1000
        };
        ok(&"x".repeat(length))
    })
    .await;
    let fetcher = fetcher();
    assert_eq!(
        fetcher.get(&server.url("/")).await.unwrap().body.len(),
        1000
    );
    let long = fetcher.get(&server.url("/long")).await;
    assert_eq!(long, Err(FetchError::TooLong(1000)));
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_not_waited_for() {
    let server = TinyServer::start(|_| None).await;
    let timeout = Duration::from_millis(100);
    let fetcher = Fetcher::new(FetchOptions {
        timeout,
        ..FetchOptions::default()
    });
    let answer = fetcher.unwrap().get(&server.url("/")).await;
    assert_eq!(answer, Err(FetchError::Timeout(timeout)));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_an_error_that_says_so() {
    let url = TinyServer::start(|_| None).await.url("/?secret=hunter2");
    tokio::task::yield_now().await;
    let error = fetcher().get(&url).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_url_that_is_no_http_is_refused() {
    for url in ["ftp://127.0.0.1/", "/path", "127.0.0.1:80", "*"] {
        let refused = fetcher().get(&url.parse().unwrap()).await;
        assert_eq!(refused, Err(FetchError::Url), "{url}");
    }
}

#[tokio::test]
async fn over_tls_a_certificate_has_to_be_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = TinyServer::on(listener, Some(acceptor), |_| ok("safe"));
    let url: Uri = format!("https://localhost:{}/", server.address.port())
        .parse()
        .unwrap();
    let distrusted = fetcher().get(&url).await.unwrap_err().to_string();
    assert!(distrusted.contains("certificate"), "{distrusted}");
    let trusting = Fetcher::new(FetchOptions {
        more_roots: vec![certificate],
        ..FetchOptions::default()
    });
    let answer = trusting.unwrap().get(&url).await.unwrap();
    assert_eq!(&answer.body[..], b"safe");
}
