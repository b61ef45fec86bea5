//! HTTP/1.1 by hand: a request is any bytes, an answer is read strictly.

use super::{TestServer, within};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection, with or without TLS.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection that speaks HTTP, kept alive.
pub struct Http {
    pub io: Box<dyn Io>,
    pub buffer: Vec<u8>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header; if it is there several times, the values with commas between.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

impl Http {
    pub async fn connect(server: &TestServer) -> Self {
        Self::to(server.plain()).await
    }

    pub async fn to(address: SocketAddr) -> Self {
        let io = within("a connection", TcpStream::connect(address))
            .await
            .expect("a connection");
        io.set_nodelay(true).expect("TCP");
        Self::over(Box::new(io))
    }

    pub fn over(io: Box<dyn Io>) -> Self {
        Self {
            io,
            buffer: Vec::new(),
        }
    }

    /// Sends bytes. A server may have closed already: what it said is still to be read.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("room to write", self.io.write_all(bytes.as_ref())).await;
        let _ = within("room to write", self.io.flush()).await;
    }

    /// A request with a body, the length of which is told.
    pub async fn request(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = body.len();
        self.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: example.org\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    /// A GET and its answer.
    pub async fn get(&mut self, path: &str) -> Response {
        self.get_of("example.org", path).await
    }

    /// The same under a host of another name.
    pub async fn get_of(&mut self, host: &str, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        self.response().await
    }

    /// The next answer.
    pub async fn response(&mut self) -> Response {
        self.try_response().await.expect("an answer")
    }

    /// The next answer, or `None` when the server closes without one.
    pub async fn try_response(&mut self) -> Option<Response> {
        self.response_to("GET").await
    }

    /// The same for a request by `method`: HEAD is answered without the body.
    pub async fn response_to(&mut self, method: &str) -> Option<Response> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if self.fill().await == 0 {
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let (status, headers) = parse_head(&head);
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if method != "HEAD" && !matches!(status, 100..=199 | 204 | 304) {
            response.body = self.body(&response).await;
        }
        Some(response)
    }

    async fn body(&mut self, head: &Response) -> Vec<u8> {
        if let Some(length) = head.header("content-length") {
            return self.take(length.parse().expect("a length")).await;
        }
        if head.header("transfer-encoding").as_deref() == Some("chunked") {
            return self.chunks().await;
        }
        while self.fill().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at;
                }
                assert_ne!(self.fill().await, 0, "the server closed inside a chunk");
            };
            let size = String::from_utf8(self.take(line + 2).await).expect("a size");
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            body.extend(self.take(size).await);
            self.take(2).await;
            if size == 0 {
                return body;
            }
        }
    }

    /// So many bytes.
    pub async fn take(&mut self, bytes: usize) -> Vec<u8> {
        while self.buffer.len() < bytes {
            assert_ne!(self.fill().await, 0, "the server closed too early");
        }
        self.buffer.drain(..bytes).collect()
    }

    /// Reads what is there; 0 at the end.
    pub async fn fill(&mut self) -> usize {
        let read = within("an answer", self.io.read_buf(&mut self.buffer)).await;
        read.unwrap_or(0) // a reset is an end, too
    }

    /// Everything up to the end of the connection.
    pub async fn read_to_end(mut self) -> Vec<u8> {
        while self.fill().await > 0 {}
        self.buffer
    }
}

fn parse_head(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let head = std::str::from_utf8(head).expect("a head in ASCII");
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let status = lines.next().expect("a status line");
    let mut parts = status.splitn(3, ' ');
    assert!(
        matches!(parts.next(), Some("HTTP/1.1" | "HTTP/1.0")),
        "{status}"
    );
    let status = parts.next().expect("a status").parse().expect("a status");
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    (status, headers.collect())
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
