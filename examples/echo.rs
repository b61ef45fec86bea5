//! A service of your own: whatever is sent to `shout.localhost` comes back in capitals.
//!
//! ```sh
//! cargo run --example echo                 # on 127.0.0.1:8080, or: -- 127.0.0.1:9000
//! ```
//!
//! Open http://127.0.0.1:8080/, log in as one of the two accounts that are printed, and write to
//! `shout.localhost`. A panic in `handle` would be an `internal-server-error` for whoever wrote.

use axum::{Router, routing::get};
use stanzad::{Config, Handler, Server, SessionHandle, Stanza, StanzaError};
use std::net::SocketAddr;
use tokio::net::TcpListener;

struct Shout;

impl Handler for Shout {
    async fn handle(
        &self,
        from: &SessionHandle,
        stanza: Stanza,
    ) -> Result<Option<Stanza>, StanzaError> {
        println!("{} says {}", from.jid(), stanza.content());
        let Some(text) = stanza.body() else {
            return Ok(None); // "is typing" and the like
        };
        Ok(Some(stanza.answered_with_body(&text.to_uppercase())))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let socket = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let url = format!("http://{}", socket.local_addr()?);
    let state_dir = std::env::temp_dir().join(format!("stanzad-echo-{}", std::process::id()));
    let config = Config {
        public_url: Some(url.parse()?),
        state_dir: state_dir.clone(),
        ..Config::default()
    };
    let builder = Server::builder(config).demo(true);
    let xmpp = builder.handler("shout", Shout).build().await?;
    for account in xmpp.demo() {
        println!("{} {}", account.jid, account.password);
    }
    let app = Router::new()
        .route("/health", get(|| async { "well" }))
        .merge(xmpp.router()?)
        .into_make_service_with_connect_info::<SocketAddr>();
    println!("listening on {url}/");
    axum::serve(socket, app)
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            xmpp.stop().await;
        })
        .await?;
    Ok(std::fs::remove_dir_all(state_dir)?)
}
