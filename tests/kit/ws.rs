//! WebSocket by hand (RFC 6455): a handshake is any bytes, a frame any bits; answers are read
//! strictly.

use super::http::{Http, Io, Response};
use super::{CLIENT, TestServer, within};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};
use stanzad::xml::Element;

/// A request to upgrade, correct until a test changes it.
#[derive(Debug, Clone)]
pub struct Handshake {
    pub line: String,
    pub headers: Vec<(String, String)>,
}

/// The key of RFC 6455 §1.3, good enough for a test.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Handshake {
    pub fn new() -> Self {
        let headers = [
            ("Host", "example.org"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Protocol", "xmpp"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            line: "GET /ws/ HTTP/1.1".to_owned(),
            headers: headers.map(owned).into(),
        }
    }

    pub fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.line);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn replace(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter();
        let headers: String = headers.map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", self.line).into_bytes()
    }

    /// Sends it and reads the answer.
    pub async fn send(&self, server: &TestServer) -> (Response, Ws) {
        self.over(Http::connect(server).await).await
    }

    pub async fn over(&self, mut http: Http) -> (Response, Ws) {
        http.send(self.bytes()).await;
        let response = http.response().await;
        (response, Ws::from_http(http))
    }

    /// The status of the answer, for those that are refused.
    pub async fn status(&self, server: &TestServer) -> u16 {
        self.send(server).await.0.status
    }
}

/// What `Sec-WebSocket-Accept` has to be (RFC 6455 §4.2.2).
pub fn accept_key() -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64.encode(Sha1::digest(format!("{KEY}{GUID}")))
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    /// The end of the TCP connection.
    End,
}

/// A WebSocket after its handshake.
pub struct Ws {
    http: Http,
    /// Whether stanzas may be expected: then all of them are in `jabber:client`.
    pub is_xmpp: bool,
    /// How XML is said and heard over a subprotocol that is not `xmpp`.
    pub words: Option<Words>,
    /// The frames that came in other words, as they came, oldest first.
    pub heard: Vec<String>,
}

/// XML in other words, and back.
#[derive(Clone, Copy)]
pub struct Words {
    pub say: fn(&str) -> String,
    pub hear: fn(&str) -> String,
}

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;
/// The bit that ends a message.
pub const FIN: u8 = 0x80;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame; `first`: FIN, the reserved bits and the opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64, 0x80);
    bytes.extend(MASK);
    let masked = payload.iter().enumerate().map(|(i, b)| b ^ MASK[i % 4]);
    bytes.extend(masked);
    bytes
}

/// A frame as only servers may send it.
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64, 0);
    bytes.extend(payload);
    bytes
}

/// The first bytes of a frame, up to the length.
pub fn header(first: u8, length: u64, mask_bit: u8) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(mask_bit | length as u8),
        126..=0xffff => {
            bytes.push(mask_bit | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

impl Ws {
    pub fn from_http(http: Http) -> Self {
        Self {
            http,
            is_xmpp: true,
            words: None,
            heard: Vec::new(),
        }
    }

    pub async fn connect(server: &TestServer) -> Self {
        Self::over(Http::connect(server).await).await
    }

    pub async fn over(http: Http) -> Self {
        let (response, ws) = Handshake::new().over(http).await;
        assert_eq!(response.status, 101, "{response:?}");
        ws
    }

    /// Any bytes.
    pub async fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.http.send(bytes).await;
    }

    pub async fn frame(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.raw(frame(first, payload.as_ref())).await;
    }

    pub async fn text(&mut self, text: &str) {
        match self.words {
            None => self.frame(TEXT, text).await,
            Some(words) => self.frame(TEXT, (words.say)(text)).await,
        }
    }

    /// No more comes from us, while we still read.
    pub async fn half_close(&mut self) {
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut self.http.io).await;
    }

    /// The connection under it.
    pub fn io(&mut self) -> &mut Box<dyn Io> {
        &mut self.http.io
    }

    /// What comes next. W-99: every frame is checked.
    pub async fn recv(&mut self) -> Got {
        let Some(first) = self.byte().await else {
            return Got::End;
        };
        assert_eq!(first & 0x70, 0, "a reserved bit is set");
        assert_ne!(first & FIN, 0, "the server has no reason to fragment");
        let second = self.byte().await.expect("a length");
        assert_eq!(second & 0x80, 0, "servers do not mask");
        let payload = self.payload(second).await;
        match first & 0x0f {
            1 => Got::Text(self.element(payload)),
            opcode => {
                assert!(payload.len() <= 125, "a control frame that long");
                control(opcode, payload)
            }
        }
    }

    async fn payload(&mut self, second: u8) -> Vec<u8> {
        let length = match second {
            126 => {
                let bytes = self.http.take(2).await;
                u64::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => u64::from_be_bytes(self.http.take(8).await.try_into().expect("8 bytes")),
            short => u64::from(short),
        };
        self.http
            .take(usize::try_from(length).expect("a length"))
            .await
    }

    /// RFC 7395 §3.3.3: one whole element each, standing alone.
    fn element(&mut self, payload: Vec<u8>) -> String {
        let mut text = String::from_utf8(payload).expect("UTF-8");
        if let Some(words) = self.words {
            self.heard.push(text.clone());
            text = (words.hear)(&text);
        }
        assert!(text.starts_with('<'), "{text:?}");
        if self.is_xmpp {
            let element = Element::parse(&text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
            if matches!(element.name(), "message" | "presence" | "iq") {
                assert_eq!(element.namespace(), CLIENT, "{text}");
            }
        }
        text
    }

    async fn byte(&mut self) -> Option<u8> {
        while self.http.buffer.is_empty() {
            if self.http.fill().await == 0 {
                return None;
            }
        }
        Some(self.http.buffer.remove(0))
    }

    /// What comes next but for pings, which are answered.
    pub async fn next(&mut self) -> Got {
        loop {
            match self.recv().await {
                Got::Ping(data) => self.frame(PONG, data).await,
                got => return got,
            }
        }
    }

    /// The server ends the connection: whatever it says before, it says with this code, and then
    /// TCP ends. Returns the texts that came before.
    pub async fn ends_with(&mut self, code: u16) -> Vec<String> {
        let (texts, found) = self.read_to_end().await;
        assert_eq!(found, Some(code), "after {texts:?}");
        texts
    }

    /// Everything to the end of TCP: the texts, and the code of the Close frame if there was one.
    /// It is answered, as a client does.
    pub async fn read_to_end(&mut self) -> (Vec<String>, Option<u16>) {
        let (mut texts, mut code) = (Vec::new(), None);
        loop {
            match self.next().await {
                Got::Text(text) => {
                    assert_eq!(code, None, "a text after the Close frame: {text}");
                    texts.push(text);
                }
                Got::Close(found) => {
                    code = Some(found.unwrap_or(1005));
                    self.frame(
                        CLOSE,
                        code.filter(|c| *c != 1005).map_or(vec![], code_bytes),
                    )
                    .await;
                }
                Got::End => return (texts, code),
                Got::Ping(_) | Got::Pong(_) => {}
            }
        }
    }
}

pub fn code_bytes(code: u16) -> Vec<u8> {
    code.to_be_bytes().to_vec()
}

fn control(opcode: u8, payload: Vec<u8>) -> Got {
    match opcode {
        8 => match payload.as_slice() {
            [] => Got::Close(None),
            [high, low, reason @ ..] => {
                assert!(std::str::from_utf8(reason).is_ok(), "a reason in UTF-8");
                Got::Close(Some(u16::from_be_bytes([*high, *low])))
            }
            _ => panic!("a Close frame of one byte"),
        },
        9 => Got::Ping(payload),
        10 => Got::Pong(payload),
        other => panic!("a server frame with opcode {other}"),
    }
}

/// Awaits with the patience of the suite.
pub async fn end_of(mut http: Http) -> Vec<u8> {
    let all = async {
        while http.fill().await > 0 {}
        std::mem::take(&mut http.buffer)
    };
    within("the end of the connection", all).await
}
