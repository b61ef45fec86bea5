//! Each example runs as its comment says.

mod kit;

use kit::{Client, Handshake, Http, PATIENCE, SASL, body};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Once;

/// An example that runs; it ends with the test.
struct Example {
    process: Child,
    lines: BufReader<ChildStdout>,
    address: SocketAddr,
    /// Addresses and passwords, as it printed them.
    accounts: Vec<(String, String)>,
}

impl Example {
    /// What `cargo run --example name -- 127.0.0.1:0` runs.
    fn start(name: &str) -> Self {
        BUILT.call_once(build);
        let mut process = Command::new(binary(name))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("an example");
        let mut lines = BufReader::new(process.stdout.take().expect("its output"));
        let mut accounts = Vec::new();
        let address = loop {
            let line = read_line(&mut lines);
            if let Some(url) = line.strip_prefix("listening on http://") {
                break url.trim_end_matches('/').parse().expect("an address");
            }
            if let Some((jid, password)) = line.split_once(' ') {
                accounts.push((jid.to_owned(), password.to_owned()));
            }
        };
        Self {
            process,
            lines,
            address,
            accounts,
        }
    }

    async fn http(&self) -> Http {
        Http::to(self.address).await
    }

    /// One of its accounts, logged in.
    async fn login(&self, account: usize) -> Client {
        let (jid, password) = &self.accounts[account];
        let (name, host) = jid.split_once('@').expect("an address");
        let mut client = Client::over_host(self.http().await, host).await;
        client.plain_with(name, password).await;
        client.bind(None).await;
        client
    }

    /// Interrupted as by Ctrl-C, it ends in order.
    async fn ends(mut self) {
        kit::process::signal(self.process.id(), "INT");
        let began = std::time::Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("a process") {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    let read = lines.read_line(&mut line).expect("its output");
    assert_ne!(read, 0, "it ended");
    line.trim_end().to_owned()
}

static BUILT: Once = Once::new();

/// `cargo test` builds them, too, but not `cargo test --test examples`.
fn build() {
    let mut cargo = Command::new(env!("CARGO"));
    let built = cargo.args(["build", "--quiet", "--examples"]).status();
    assert!(built.expect("cargo").success(), "they do not build");
}

fn binary(name: &str) -> PathBuf {
    // target/<profile>/deps/examples-…, beside target/<profile>/examples/
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("a directory");
    profile.join("examples").join(name)
}

/// X1: a service of one's own, beside routes of one's own.
#[tokio::test]
async fn x1_echo() {
    let example = Example::start("echo");
    assert_eq!(example.http().await.get("/health").await.text(), "well");
    assert_eq!(example.http().await.get("/").await.status, 200);
    let mut alice = example.login(0).await;
    alice.chat("shout.localhost", "hark &amp; see").await;
    assert_eq!(body(&alice.next_named("message").await), "HARK & SEE");
    alice.close().await;
    example.ends().await;
}

/// E7: a chat room by groups.
#[tokio::test]
async fn e7_chat_room() {
    let mut example = Example::start("chat_room");
    let mut alice = example.login(0).await;
    let mut bob = example.login(1).await;
    bob.sync().await; // whose stanzas are dealt with is in the room
    alice.chat("room.localhost", "hark").await;
    let heard = bob.next_named("message").await;
    assert_eq!(heard.attr("from"), Some("room.localhost"));
    assert!(body(&heard).ends_with(": hark"), "{heard}");
    assert!(read_line(&mut example.lines).ends_with("(to 1 others)"));
    drop(bob);
    let left = read_line(&mut example.lines);
    assert!(left.ends_with("left: link-lost"), "{left}");
    alice.chat("room.localhost", "alone").await;
    assert!(read_line(&mut example.lines).ends_with("(to 0 others)"));
    example.ends().await;
}

/// E11, O2: the login of the web application is that of the sockets.
#[tokio::test]
async fn e11_web_login() {
    let example = Example::start("web_login");
    let mut web = example.http().await;
    let name = example.accounts[0].0.split('@').next().expect("a name");
    web.request("POST", "/login", "", name).await;
    let response = web.response().await;
    let cookie = response.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let upgrade = Handshake::new();
    let without = upgrade.over(example.http().await).await.0;
    assert_eq!(without.status, 401);
    let (response, ws) = upgrade
        .with("Cookie", &cookie)
        .over(example.http().await)
        .await;
    assert_eq!(response.status, 101);
    let mut alice = Client::on_host(ws, "localhost").await;
    assert_eq!(alice.mechanisms(), ["EXTERNAL"]);
    let auth = format!("<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>");
    alice.send(&auth).await;
    assert!(alice.read().await.is("success", SASL));
    alice.reopen().await;
    alice.bind(None).await;
    alice.hears_nothing().await;
    web.request("POST", "/logout", &format!("Cookie: {cookie}\r\n"), "")
        .await;
    assert_eq!(web.response().await.text(), "good bye; 1 sessions closed\n");
    alice.refused(&["not-authorized"]).await;
    example.ends().await;
}

/// W9: the figures are on a page of the application.
#[tokio::test]
async fn w9_metrics() {
    let example = Example::start("metrics");
    example.http().await.get("/buy").await;
    let alice = example.login(0).await;
    let page = example.http().await.get("/metrics").await;
    let has = |line: &str| page.text().lines().any(|found| found == line);
    assert!(has("shop_carts 1"), "{}", page.text());
    assert!(
        page.text().contains("\nstanzad_sessions"),
        "{}",
        page.text()
    );
    alice.close().await;
    example.ends().await;
}
