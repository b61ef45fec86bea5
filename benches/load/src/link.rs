//! One connection: TCP or TLS, the upgrade to WebSocket, and frames in and out.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::tls;
use crate::ws::{self, Frame, Input};

thread_local! {
    /// All connections read through one buffer, so that an idle one holds none.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
    static NEXT_SOURCE: RefCell<u32> = const { RefCell::new(0) };
}

/// The addresses of this machine that connections come from in turn: one alone has no more than
/// 28,000 ports.
const SOURCES: u32 = 200;

/// `ws://host:port/path`, or with `wss`, `http`, `https`.
#[derive(Clone, Debug)]
pub struct Target {
    pub tls: bool,
    pub authority: String,
    pub path: String,
    pub address: SocketAddr,
}

impl Target {
    pub fn parse(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").context("a URL has a scheme")?;
        let tls = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            other => bail!("the scheme {other} is not known"),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let address = authority
            .to_socket_addrs()
            .with_context(|| format!("{authority} is to be host:port"))?
            .find(SocketAddr::is_ipv4)
            .context("no address")?;
        Ok(Self {
            tls,
            authority: authority.to_owned(),
            path: path.to_owned(),
            address,
        })
    }
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub struct Link {
    io: Io,
    pub input: Input,
    pub output: Vec<u8>,
    /// How much of it is written.
    written: usize,
}

async fn tcp(target: &Target) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if target.address.ip().is_loopback() {
        let n = NEXT_SOURCE.with_borrow_mut(|n| {
            *n = (*n + 1) % SOURCES;
            *n
        });
        let source = Ipv4Addr::new(127, 0, 1, 1 + n as u8);
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    }
    let stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    // A closed connection leaves nothing in TIME_WAIT, or the ports would not last; and to drop a
    // link is to cut it.
    stream.set_zero_linger()?;
    Ok(stream)
}

impl Link {
    pub async fn open(target: &Target) -> Result<Self> {
        let stream = tcp(target).await.context("connect")?;
        let io = if target.tls {
            Io::Tls(Box::new(tls::connect(target, stream).await.context("TLS")?))
        } else {
            Io::Plain(stream)
        };
        Ok(Self {
            io,
            input: Input::default(),
            output: Vec::new(),
            written: 0,
        })
    }

    /// The same after the upgrade to WebSocket with the subprotocol `xmpp`.
    pub async fn websocket(target: &Target) -> Result<Self> {
        // The example of RFC 6455 §1.3: nothing here needs a key that is fresh.
        const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
        const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let mut link = Self::open(target).await?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: xmpp\r\n\r\n",
            target.path, target.authority
        );
        link.output.extend_from_slice(request.as_bytes());
        link.flush().await?;
        let end = link.head().await?;
        let head = String::from_utf8_lossy(&link.input.rest()[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
            bail!("no upgrade: {}", head.lines().next().unwrap_or_default());
        }
        link.input.skip(end);
        Ok(link)
    }

    /// Reads until the head of an HTTP message is there; where it ends.
    pub async fn head(&mut self) -> Result<usize> {
        loop {
            if let Some(at) = memchr::memmem::find(self.input.rest(), b"\r\n\r\n") {
                return Ok(at + 4);
            }
            if !self.fill().await? {
                bail!("the server closed the connection before it answered");
            }
        }
    }

    /// Reads what is there; false at the end. It can be dropped while it waits.
    pub async fn fill(&mut self) -> Result<bool> {
        self.input.park();
        let (io, input) = (&mut self.io, &mut self.input);
        let count = poll_fn(|task| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(io.poll_read(task, &mut buffer))?;
                input.put(buffer.filled());
                Poll::Ready(anyhow::Ok(buffer.filled().len()))
            })
        });
        Ok(count.await? > 0)
    }

    /// Writes all that is queued, in one go if the socket takes it. It can be dropped while it waits.
    pub async fn flush(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let (io, output, written) = (&mut self.io, &self.output, &mut self.written);
        poll_fn(|task| {
            while *written < output.len() {
                match ready!(io.poll_write(task, &output[*written..]))? {
                    0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                    count => *written += count,
                }
            }
            io.poll_flush(task)
        })
        .await?;
        self.written = 0;
        if self.output.capacity() > 64 * 1024 {
            self.output = Vec::new();
        }
        self.output.clear();
        Ok(())
    }

    /// The next frame that is already here and not the link's own business.
    pub fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            match self.input.next()? {
                Some(Frame::Ping(range)) => {
                    ws::write_pong(&mut self.output, &self.input.bytes[range]);
                }
                other => return Ok(other),
            }
        }
    }

    /// Frees what an idle connection does not need.
    pub fn park(&mut self) {
        self.input.park();
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }
}

impl Io {
    fn poll_read(&mut self, task: &mut Task, buffer: &mut ReadBuf) -> Poll<std::io::Result<()>> {
        match self {
            Io::Plain(stream) => Pin::new(stream).poll_read(task, buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(task, buffer),
        }
    }

    fn poll_write(&mut self, task: &mut Task, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match self {
            Io::Plain(stream) => Pin::new(stream).poll_write(task, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(task, bytes),
        }
    }

    fn poll_flush(&mut self, task: &mut Task) -> Poll<std::io::Result<()>> {
        match self {
            Io::Plain(_) => Poll::Ready(Ok(())),
            Io::Tls(stream) => Pin::new(stream).poll_flush(task),
        }
    }
}
