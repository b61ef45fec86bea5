//! The figures of stanzad on the page of an application that has figures of its own.
//!
//! ```sh
//! cargo run --example metrics              # on 127.0.0.1:8080, or: -- 127.0.0.1:9000
//! curl http://127.0.0.1:8080/metrics
//! ```
//!
//! `shop_carts` is the application's, what begins with `stanzad_` is stanzad's.

use axum::http::header;
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use stanzad::{Config, Server};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

static CARTS: AtomicU64 = AtomicU64::new(0);

async fn metrics(xmpp: Server) -> impl IntoResponse {
    let carts = CARTS.load(Ordering::Relaxed);
    // Its last line is that of both: it comes last.
    let text = format!(
        "# TYPE shop_carts counter\nshop_carts {carts}\n{}",
        xmpp.figures().encode()
    );
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let socket = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let url = format!("http://{}", socket.local_addr()?);
    let state_dir = std::env::temp_dir().join(format!("stanzad-metrics-{}", std::process::id()));
    let config = Config {
        public_url: Some(url.parse()?),
        state_dir: state_dir.clone(),
        ..Config::default()
    };
    let xmpp = Server::builder(config).demo(true).build().await?;
    for account in xmpp.demo() {
        println!("{} {}", account.jid, account.password);
    }
    let figures = xmpp.clone();
    let app = Router::new()
        .route(
            "/buy",
            get(async || CARTS.fetch_add(1, Ordering::Relaxed).to_string()),
        )
        .route("/metrics", get(move || metrics(figures)))
        .merge(xmpp.router()?);
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
