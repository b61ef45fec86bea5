//! XMPP in JSON: a WebSocket subprotocol of your own, `xmpp-json`, beside `xmpp`.
//!
//! ```text
//! cargo run --example json_transcoder
//! ```
//!
//! It starts a server on a free port of this machine, with two demo accounts. Then a client logs in
//! over `xmpp-json`, sends a message to itself, gets it, and leaves; every frame is printed as it
//! goes over the wire, those of the client after `C:`, those of the server after `S:`. You see
//! nothing but JSON there, from
//!
//! ```text
//! C: {"attrs":{"to":"localhost","version":"1.0"},"name":"open","xmlns":"urn:ietf:params:xml:ns:xmpp-framing"}
//! S: {"attrs":{"from":"localhost","id":"…","version":"1.0","xml:lang":"en"},"name":"open","xmlns":"urn:ietf:params:xml:ns:xmpp-framing"}
//! ```
//!
//! to the `close` of both. After that the server goes on until Ctrl-C, and its page (the address is
//! printed) chats with clients in JSON although it speaks XML: the server has one stream and two
//! ways to say it.
//!
//! `mapping.rs` says how XML becomes JSON. The transcoder itself is the dozen lines below.

mod mapping;

use futures_util::{SinkExt, StreamExt};
pub use mapping::{to_json, to_xml};
use stanzad::config::{Config, Sources};
use stanzad::server::{DemoAccount, Handover};
use stanzad::sessions::Connection;
use stanzad::{Server, TranscodeError, Transcoder};
use std::borrow::Cow;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The name by which clients ask for JSON.
pub const SUBPROTOCOL: &str = "xmpp-json";

/// XML as JSON, for each frame alone.
pub struct Json;

impl Transcoder for Json {
    fn inbound<'f>(
        &self,
        _: &Connection,
        frame: &'f str,
    ) -> Result<Option<Cow<'f, str>>, TranscodeError> {
        Ok(Some(to_xml(frame)?.into()))
    }

    fn outbound<'f>(
        &self,
        _: &Connection,
        element: &'f str,
    ) -> Result<Option<Cow<'f, str>>, TranscodeError> {
        Ok(Some(to_json(element)?.into()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let state = tempfile::tempdir()?;
    let server = serve(state.path()).await?;
    let address = server.config().listen.plain.ok_or("no port")?;
    converse(address, &server.demo()[0]).await?;
    println!("http://{address}/ is its page; Ctrl-C ends it.");
    tokio::signal::ctrl_c().await?;
    Ok(server.stop().await.stored?)
}

/// A server on a free port, with demo accounts.
pub async fn serve(state: &Path) -> Result<Server, Box<dyn Error>> {
    let sources = Sources {
        set: vec![
            "domain=localhost".to_owned(),
            "listen.plain=127.0.0.1:0".to_owned(),
            format!("state_dir={}", state.display()),
        ],
        ..Sources::default()
    };
    let server = Server::builder(Config::load(&sources)?)
        .demo(true)
        .transcoder(SUBPROTOCOL, Json)
        .start_on(Handover::default());
    Ok(server.await?)
}

/// One account says something to itself, in JSON.
pub async fn converse(address: SocketAddr, account: &DemoAccount) -> Result<(), Box<dyn Error>> {
    let domain = account.jid.domain().to_string();
    let mut client = Client::connect(address).await?;
    client.open(&domain).await?;
    client.log_in(account).await?;
    client.open(&domain).await?;
    let bind = r#"{"name": "iq", "attrs": {"type": "set", "id": "bind"}, "children": [
        {"name": "bind", "xmlns": "urn:ietf:params:xml:ns:xmpp-bind", "children": [
            {"name": "resource", "children": ["json"]}]}]}"#;
    client.say(bind).await?;
    client.hear().await?;
    let message = serde_json::json!({
        "name": "message",
        "attrs": {"to": format!("{}/json", account.jid), "type": "chat", "id": "1"},
        "children": [{"name": "body", "children": ["\"Art <thou> not Romeo?\" & so on"]}],
    });
    client.say(&message.to_string()).await?;
    let heard = client.hear().await?;
    if !heard.contains(r#"["\"Art <thou> not Romeo?\" & so on"]"#) {
        return Err("not what was said".into());
    }
    client
        .say(r#"{"name": "close", "xmlns": "urn:ietf:params:xml:ns:xmpp-framing"}"#)
        .await?;
    client.hear().await?;
    Ok(())
}

/// Prints what it says and hears.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut request = format!("ws://{address}/ws/").into_client_request()?;
        let offer = format!("{SUBPROTOCOL}, xmpp").parse()?;
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", offer);
        let (socket, response) = connect_async(request).await?;
        println!(
            "The server chose {:?}.",
            response.headers()["Sec-WebSocket-Protocol"]
        );
        Ok(Self(socket))
    }

    /// The head of the stream, and the features that answer it.
    async fn open(&mut self, domain: &str) -> Result<(), Box<dyn Error>> {
        let open = serde_json::json!({
            "name": "open",
            "xmlns": "urn:ietf:params:xml:ns:xmpp-framing",
            "attrs": {"to": domain, "version": "1.0"},
        });
        self.say(&open.to_string()).await?;
        self.hear().await?;
        self.hear().await?;
        Ok(())
    }

    async fn log_in(&mut self, account: &DemoAccount) -> Result<(), Box<dyn Error>> {
        use base64::Engine as _;
        let name = account.jid.node().map(ToString::to_string);
        let plain = format!("\0{}\0{}", name.unwrap_or_default(), account.password);
        let data = base64::engine::general_purpose::STANDARD.encode(plain);
        let auth = serde_json::json!({
            "name": "auth",
            "xmlns": "urn:ietf:params:xml:ns:xmpp-sasl",
            "attrs": {"mechanism": "PLAIN"},
            "children": [data],
        });
        self.say(&auth.to_string()).await?;
        match self.hear().await?.contains(r#""name":"success""#) {
            true => Ok(()),
            false => Err("no login".into()),
        }
    }

    async fn say(&mut self, frame: &str) -> Result<(), Box<dyn Error>> {
        println!("C: {frame}");
        Ok(self.0.send(Message::text(frame)).await?)
    }

    async fn hear(&mut self) -> Result<String, Box<dyn Error>> {
        while let Some(message) = self.0.next().await {
            if let Message::Text(frame) = message? {
                println!("S: {frame}");
                return Ok(frame.to_string());
            }
        }
        Err("the server has left".into())
    }
}
