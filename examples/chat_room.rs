//! A chat room in sixty lines: who writes to `room.localhost` is heard by all who are here.
//!
//! ```sh
//! cargo run --example chat_room            # on 127.0.0.1:8080, or: -- 127.0.0.1:9000
//! ```
//!
//! Open http://127.0.0.1:8080/ in two tabs, log in as the two accounts that are printed, and write
//! to `room.localhost` in one of them. A tab that loses its link hears what it missed when it is
//! back: it has not left the group.

use axum::Router;
use stanzad::{
    Config, Event, Handler, Listener, Server, SessionHandle, Stanza, StanzaError, Target,
};
use std::net::SocketAddr;
use tokio::net::TcpListener;

const ROOM: &str = "room";

/// Everybody who comes is in the room.
struct Doorman;

impl Listener for Doorman {
    async fn on_event(&self, session: &SessionHandle, event: &Event) {
        match event {
            Event::Open => drop(session.join(ROOM).await),
            Event::Close(reason) => println!("{} left: {}", session.jid(), reason.as_str()),
            _ => {}
        }
    }
}

/// What is said in the room goes to all others in it.
struct Room;

impl Handler for Room {
    async fn handle(
        &self,
        from: &SessionHandle,
        said: Stanza,
    ) -> Result<Option<Stanza>, StanzaError> {
        let Some(text) = said.body() else {
            return Ok(None);
        };
        let line = format!(
            "{}: {text}",
            from.jid().node().map_or("", |node| node.as_str())
        );
        let others = Target::group(ROOM).except(from.id());
        let delivery = from
            .server()
            .send(&others, &said.answered_with_body(&line))
            .await;
        println!("{line} (to {} others)", delivery.sent + delivery.queued);
        Ok(None)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let socket = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let url = format!("http://{}", socket.local_addr()?);
    let state_dir = std::env::temp_dir().join(format!("stanzad-room-{}", std::process::id()));
    let config = Config {
        public_url: Some(url.parse()?),
        state_dir: state_dir.clone(),
        ..Config::default()
    };
    let builder = Server::builder(config).demo(true);
    let xmpp = builder
        .listener(Doorman)
        .handler(ROOM, Room)
        .build()
        .await?;
    for account in xmpp.demo() {
        println!("{} {}", account.jid, account.password);
    }
    let app = Router::new().merge(xmpp.router()?);
    println!("listening on {url}/");
    axum::serve(
        socket,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        let _ = tokio::signal::ctrl_c().await;
        xmpp.stop().await;
    })
    .await?;
    Ok(std::fs::remove_dir_all(state_dir)?)
}
