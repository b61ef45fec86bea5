//! The client's side of a link, whichever transport it is.

use super::bosh::Bosh;
use super::rng::Rng;
use super::websocket::WebSocket;
use super::world::World;
use crate::xml::Element;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a link brings.
#[derive(Debug)]
pub(super) enum Heard {
    Element(Element),
    /// Nothing more.
    Lost,
}

/// A link.
pub(super) enum Wire {
    WebSocket(Box<WebSocket>),
    Bosh(Box<Bosh>),
}

impl Wire {
    /// A link over which a stream is being opened.
    pub async fn open(world: &Arc<World>, is_bosh: bool, rng: &mut Rng) -> Option<Self> {
        tokio::time::sleep(rng.millis(1, 100)).await;
        if is_bosh {
            return Bosh::open(world, rng).map(|bosh| Self::Bosh(Box::new(bosh)));
        }
        let process = world.process()?;
        let (end, cable) = process.connect(rng)?;
        if !world.is_calm() && rng.percent(10) {
            let (cable, doom) = (cable.clone(), rng.millis(0, 5_000));
            tokio::spawn(async move {
                tokio::time::sleep(doom).await;
                cable.reset();
            });
        }
        let mut socket = WebSocket::new(end, cable);
        socket.open();
        Some(Self::WebSocket(Box::new(socket)))
    }

    /// The stream begins anew after the login.
    pub fn restart(&mut self) {
        match self {
            Self::WebSocket(socket) => socket.open(),
            Self::Bosh(bosh) => bosh.restart(),
        }
    }

    pub fn say(&mut self, text: &str) {
        match self {
            Self::WebSocket(socket) => socket.say(text),
            Self::Bosh(bosh) => bosh.say(text),
        }
    }

    pub fn say_if(&mut self, condition: bool, text: &str) {
        if condition {
            self.say(text);
        }
    }

    /// The end of the stream.
    pub fn close(&mut self) {
        match self {
            Self::WebSocket(socket) => {
                socket.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
            }
            Self::Bosh(bosh) => bosh.terminate(),
        }
    }

    /// The next that comes; writes meanwhile. Nothing is lost when the future is dropped.
    pub async fn hear(&mut self) -> Heard {
        std::future::poll_fn(|cx| self.poll_hear(cx)).await
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        match self {
            Self::WebSocket(socket) => socket.poll_hear(cx),
            Self::Bosh(bosh) => bosh.poll_hear(cx),
        }
    }

    /// Writes and does not read; over BOSH it does nothing at all.
    pub async fn look_away(&mut self, time: Duration) {
        let write = std::future::poll_fn(|cx| {
            if let Self::WebSocket(socket) = self {
                let _ = socket.poll_write(cx);
            }
            Poll::<()>::Pending
        });
        let _ = tokio::time::timeout(time, write).await;
    }

    /// Cut, and both ends know.
    pub fn reset(&mut self) {
        if let Self::WebSocket(socket) = self {
            socket.cable.reset();
        }
    }

    /// Cut, and nobody knows.
    pub fn half_open(&mut self, rng: &mut Rng) {
        match self {
            Self::WebSocket(socket) => {
                let ways = [[true, true], [true, false], [false, true]];
                socket.cable.half_open(*rng.pick(&ways), rng.percent(50));
            }
            Self::Bosh(bosh) => bosh.goes_nowhere = true,
        }
    }

    pub fn freeze(&mut self, time: Duration) {
        if let Self::WebSocket(socket) = self {
            socket.cable.freeze(tokio::time::Instant::now() + time);
        }
    }
}
