//! One login for the pages and for the chat: who is logged in on the web is logged in here, without
//! a password; whoever logs out there is out here, too, and cannot resume.
//!
//! ```sh
//! cargo run --example web_login            # on 127.0.0.1:8080, or: -- 127.0.0.1:9000
//! curl -c jar -d romeo http://127.0.0.1:8080/login
//! curl -b jar -d '' http://127.0.0.1:8080/logout
//! ```
//!
//! Between the two, a client that sends the cookie connects to /ws/ and logs in by SASL EXTERNAL
//! (in Converse.js: `authentication: 'external'`). Without the cookie the upgrade is a 401.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Router, routing::post};
use stanzad::{Admission, Authenticator, CloseReason, Config, Handshake, Server, Target};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const COOKIE: &str = "SID";

/// A login on the web. Its id is no secret: operators see it, and the log. The cookie is one.
#[derive(Clone)]
struct Login {
    id: String,
    name: String,
}

/// Who is logged in on the web, by the value of their cookie.
#[derive(Clone, Default)]
struct Logins(Arc<Mutex<HashMap<String, Login>>>);

impl Authenticator for Logins {
    async fn admit(&self, shown: &Handshake) -> Result<Admission, StatusCode> {
        let cookie = shown.cookie(COOKIE).ok_or(StatusCode::UNAUTHORIZED)?;
        let logins = self.0.lock().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let login = logins.get(cookie).ok_or(StatusCode::FORBIDDEN)?;
        let jid = format!("{}@localhost", login.name).parse();
        Ok(Admission {
            jid: Some(jid.map_err(|_| StatusCode::FORBIDDEN)?),
            login: Some(login.id.clone()),
            ..Admission::default()
        })
    }
}

type Shared = (Logins, Server);

/// A real application asks for a password here.
async fn log_in(State((logins, _)): State<Shared>, name: String) -> (HeaderMap, String) {
    let key = fresh_key();
    if let Ok(mut logins) = logins.0.lock() {
        let (id, name) = (fresh_key(), name.clone());
        logins.insert(key.clone(), Login { id, name });
    }
    let cookie = format!("{COOKIE}={key}; HttpOnly; SameSite=Strict; Path=/");
    let mut headers = HeaderMap::new();
    if let Ok(cookie) = cookie.parse() {
        headers.insert(header::SET_COOKIE, cookie);
    }
    (headers, format!("welcome, {name}\n"))
}

async fn log_out(State((logins, xmpp)): State<Shared>, headers: HeaderMap) -> String {
    let cookies = headers
        .get(header::COOKIE)
        .and_then(|line| line.to_str().ok());
    let pairs = cookies.unwrap_or_default().split(';');
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    let Some((_, key)) = pairs.find(|(name, _)| *name == COOKIE) else {
        return "nobody was logged in\n".to_owned();
    };
    let login = match logins.0.lock() {
        Ok(mut logins) => logins.remove(key),
        Err(_) => None,
    };
    let Some(login) = login else {
        return "nobody was logged in\n".to_owned();
    };
    let closed = xmpp
        .close(&Target::login(&login.id), CloseReason::LoggedOut)
        .await;
    format!("good bye; {closed} sessions closed\n")
}

/// Nobody guesses it.
fn fresh_key() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let socket = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let url = format!("http://{}", socket.local_addr()?);
    let state_dir = std::env::temp_dir().join(format!("stanzad-web-{}", std::process::id()));
    let config = Config {
        public_url: Some(url.parse()?),
        state_dir: state_dir.clone(),
        ..Config::default()
    };
    let logins = Logins::default();
    let builder = Server::builder(config).demo(true);
    let xmpp = builder.authenticator(logins.clone()).build().await?;
    for account in xmpp.demo() {
        println!("{} {}", account.jid, account.password);
    }
    let app = Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .with_state((logins, xmpp.clone()))
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
