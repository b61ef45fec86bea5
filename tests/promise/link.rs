//! A WebSocket that may break at any byte.

use crate::kit::ws::{Handshake, PONG, TEXT, frame};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server that takes nothing for so long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

pub struct Link {
    io: TcpStream,
    buffer: Vec<u8>,
}

pub enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong,
    Close,
}

pub fn broken(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

impl Link {
    /// Connected and upgraded.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let io = TcpStream::connect(address).await?;
        io.set_nodelay(true)?;
        let buffer = Vec::new();
        let mut link = Self { io, buffer };
        link.write(&Handshake::new().bytes()).await?;
        let end = loop {
            if let Some(at) = crate::kit::http::find(&link.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            link.fill().await?;
        };
        let head: Vec<u8> = link.buffer.drain(..end).collect();
        match head.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(link),
            false => Err(broken("not upgraded")),
        }
    }

    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        self.write(&frame(TEXT, text.as_bytes())).await
    }

    pub async fn pong(&mut self, data: &[u8]) -> io::Result<()> {
        self.write(&frame(PONG, data)).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(WRITE_LIMIT, self.io.write_all(bytes)).await?
    }

    /// The next frame. It may be dropped and called again: nothing gets lost.
    pub async fn next(&mut self) -> io::Result<Frame> {
        loop {
            if let Some((first, payload)) = self.take_frame() {
                return match first & 0x0f {
                    1 => String::from_utf8(payload)
                        .map(Frame::Text)
                        .map_err(|_| broken("no UTF-8")),
                    8 => Ok(Frame::Close),
                    9 => Ok(Frame::Ping(payload)),
                    10 => Ok(Frame::Pong),
                    _ => Err(broken("a frame that nobody expects")),
                };
            }
            self.fill().await?;
        }
    }

    /// The first frame of the buffer, if it is whole.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, rest) = self.buffer.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (start, length) = match short {
            126 => (
                4,
                u64::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)),
            ),
            127 => (10, u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)),
            short => (2, u64::from(short)),
        };
        let end = start + usize::try_from(length).ok()?;
        if self.buffer.len() < end {
            return None;
        }
        let payload = self.buffer.drain(..end).skip(start).collect();
        Some((first, payload))
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.io.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
