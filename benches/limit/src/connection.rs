//! One connection: all that is ready is read, all that waits is written, with one flush.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{Sink, Stream};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::answers;
use crate::table::{Mailbox, Table};

type Socket = WebSocketStream<TcpStream>;

struct Connection {
    socket: Socket,
    table: Arc<Table>,
    mailbox: Arc<Mailbox>,
    user: Option<String>,
    jid: Option<String>,
    handled: u32,
    unflushed: bool,
    available: bool,
}

pub async fn serve(stream: TcpStream, table: Arc<Table>, read_buffer: usize) {
    let _ = stream.set_nodelay(true);
    // What tungstenite reads into is filled with zeros at each read: small is fast.
    let config = WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(16 << 20);
    let upgraded =
        tokio_tungstenite::accept_hdr_async_with_config(stream, subprotocol, Some(config)).await;
    let Ok(socket) = upgraded else { return };
    let mut connection = Connection {
        socket,
        table,
        mailbox: Arc::default(),
        user: None,
        jid: None,
        handled: 0,
        unflushed: false,
        available: false,
    };
    poll_fn(|task| connection.poll(task)).await;
    connection.forget();
}

#[allow(clippy::result_large_err)]
fn subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response
        .headers_mut()
        .insert("sec-websocket-protocol", HeaderValue::from_static("xmpp"));
    Ok(response)
}

impl Connection {
    /// Ready when the connection is over.
    fn poll(&mut self, task: &mut Context) -> Poll<()> {
        self.mailbox.waker.register(task.waker());
        while let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(task) {
            match message {
                Some(Ok(Message::Text(text))) => self.handle(text),
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return Poll::Ready(()),
                Some(Ok(_)) => {}
            }
        }
        for stanza in self.mailbox.take() {
            self.write(stanza);
        }
        if self.unflushed {
            match Pin::new(&mut self.socket).poll_flush(task) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn write(&mut self, text: Utf8Bytes) {
        // An error shows at the flush; a full socket keeps it in the buffer.
        let _ = Pin::new(&mut self.socket).start_send(Message::Text(text));
        self.unflushed = true;
    }

    fn answer(&mut self, text: &'static str) {
        self.write(Utf8Bytes::from_static(text));
    }

    fn handle(&mut self, text: Utf8Bytes) {
        match text.as_bytes() {
            [b'<', b'm', ..] => {
                self.handled = self.handled.wrapping_add(1);
                if let Some(to) = answers::to(&text) {
                    self.table.deliver(to, &text);
                }
            }
            [b'<', b'r', ..] => {
                let ack = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.handled);
                self.write(ack.into());
            }
            [b'<', b'p', ..] => self.be_available(),
            [b'<', b'o', ..] => {
                self.answer(answers::OPEN);
                let known = self.user.is_some();
                self.answer(if known {
                    answers::AFTER
                } else {
                    answers::BEFORE
                });
            }
            [b'<', b'a', b'u', ..] => {
                self.user = answers::user(&text);
                self.answer(answers::SUCCESS);
            }
            [b'<', b'i', ..] => self.bind(&text),
            [b'<', b'e', ..] => {
                self.handled = 0;
                self.answer(answers::ENABLED);
            }
            [b'<', b'c', ..] => self.answer(answers::CLOSE),
            _ => {}
        }
    }

    fn bind(&mut self, text: &str) {
        let resource = answers::between(text, "<resource>", "<");
        let (Some(resource), Some(user)) = (resource, &self.user) else {
            return;
        };
        let jid = format!("{user}@localhost/{resource}");
        self.write(answers::bound(&jid).into());
        self.forget();
        self.table.add(&jid, &self.mailbox);
        self.jid = Some(jid);
    }

    /// From now on it gets what goes to all sessions of the account; nobody is told.
    fn be_available(&mut self) {
        self.handled = self.handled.wrapping_add(1);
        let account = self.jid.as_deref().and_then(|jid| jid.split_once('/'));
        if let (Some((account, _)), false) = (account, self.available) {
            self.table.add(account, &self.mailbox);
            self.available = true;
        }
    }

    fn forget(&mut self) {
        let Some(jid) = self.jid.take() else { return };
        self.table.remove(&jid, &self.mailbox);
        if let (Some((account, _)), true) = (jid.split_once('/'), self.available) {
            self.table.remove(account, &self.mailbox);
            self.available = false;
        }
    }
}
