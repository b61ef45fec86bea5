//! TLS as openssl and a browser see it, on a process of its own: rows X8, X9, X10, W11 and F3 of
//! `tests/rows.md`.

mod kit;

use kit::process::{Process, run_to_end};
use kit::{Client, Http, body, tls, until, within};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// No port but the one with TLS.
const TLS_ALONE: [&str; 2] = ["listen.plain=none", "listen.tls=127.0.0.1:0"];

/// Runs openssl in a directory. Returns what it printed, and whether it succeeded.
fn openssl(dir: &Path, arguments: &str) -> (String, bool) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    let text = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&text).into_owned(),
        output.status.success(),
    )
}

#[track_caller]
fn made(dir: &Path, arguments: &str) {
    let (text, is_done) = openssl(dir, arguments);
    assert!(is_done, "openssl {arguments}: {text}");
}

/// A handshake of `openssl s_client` that ends right after it.
async fn s_client(address: SocketAddr, options: &str) -> (String, bool) {
    let arguments = format!("s_client -connect {address} -servername localhost {options}");
    let run = tokio::task::spawn_blocking(move || openssl(Path::new("/"), &arguments));
    within("the end of openssl", run).await.expect("no panic")
}

/// A directory with `root.pem`, which signs what `leaf` makes.
fn authority() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let root = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Root \
                -keyout root.key -out root.pem";
    made(dir.path(), root);
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    fs::write(dir.path().join("names"), names).expect("a file");
    dir
}

/// A chain with this serial number in `chain.pem`, and its key in `key.pem`.
fn leaf(dir: &Path, serial: &str) {
    let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                   -keyout key.pem -out leaf.csr";
    made(dir, request);
    let sign = format!(
        "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -days 2 -extfile names \
         -set_serial {serial} -out leaf.pem"
    );
    made(dir, &sign);
    let read = |name: &str| fs::read_to_string(dir.join(name)).expect("a file");
    fs::write(dir.join("chain.pem"), read("leaf.pem") + &read("root.pem")).expect("a file");
}

/// `--set` for the two files.
fn files(dir: &Path, cert: &str, key: &str) -> [String; 2] {
    [("cert", cert), ("key", key)].map(|(option, file)| {
        let path = dir.join(file);
        format!("tls.{option}={}", path.display())
    })
}

async fn serving(files: &[String]) -> Process {
    let mut options: Vec<_> = TLS_ALONE.into();
    options.extend(files.iter().map(String::as_str));
    Process::start(&options).await
}

async fn logged_in(http: Http, name: &str) -> Client {
    let mut client = Client::over(http).await;
    client.plain(name).await;
    client.bind(None).await;
    client
}

async fn echoes(client: &mut Client, text: &str) {
    let own = client.jid.clone();
    client.chat(&own, text).await;
    assert_eq!(body(&client.next_named("message").await), text);
}

/// X8: a renewed certificate costs nobody his session.
#[tokio::test]
async fn x8_a_new_certificate_is_shown_after_a_signal_and_open_sessions_stay() {
    let dir = authority();
    leaf(dir.path(), "0x1001");
    let process = serving(&files(dir.path(), "chain.pem", "key.pem")).await;
    let shown = "-showcerts -verify_return_error -CAfile";
    let root = dir.path().join("root.pem");
    let (text, is_done) = s_client(process.address, &format!("{shown} {}", root.display())).await;
    assert!(is_done, "{text}");
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
    let http = tls::trusting(&root, process.address).await;
    let mut romeo = logged_in(http.expect("TLS"), "romeo").await;

    leaf(dir.path(), "0x2002");
    process.signal("HUP");
    let mut serial = String::new();
    for _ in 0..100 {
        let (text, _) = s_client(process.address, "-showcerts").await;
        fs::write(dir.path().join("shown.pem"), text).expect("a file");
        serial = openssl(dir.path(), "x509 -in shown.pem -noout -serial").0;
        if serial.contains("2002") {
            break;
        }
    }
    assert!(serial.contains("2002"), "{serial}");
    echoes(&mut romeo, "over the old link").await;
    let http = tls::trusting(&root, process.address).await;
    let mut juliet = logged_in(http.expect("TLS"), "juliet").await;
    echoes(&mut juliet, "over the new one").await;
}

/// X8: what would be found out by the first browser is found out before.
#[tokio::test]
async fn x8_a_key_that_is_not_of_the_certificate_ends_the_start() {
    let dir = authority();
    leaf(dir.path(), "1");
    made(
        dir.path(),
        "ecparam -name prime256v1 -genkey -out other.key",
    );
    let [cert, key] = files(dir.path(), "chain.pem", "other.key");
    let state = format!("state_dir={}", dir.path().display());
    let arguments = ["serve", "--set", TLS_ALONE[0], "--set", TLS_ALONE[1]];
    let more = ["--set", &cert, "--set", &key, "--set", &state];
    let (code, text) = run_to_end(&[&arguments[..], &more].concat()).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("other.key"), "{text}");
}

/// X9: whoever has trusted it once goes on to do so.
#[tokio::test]
async fn x9_a_certificate_that_the_server_made_outlives_a_restart() {
    let place = tempfile::tempdir().expect("a directory");
    let log = fs::File::create(place.path().join("log")).expect("a file");
    let process = Process::logging(&TLS_ALONE, "warn", log.into()).await;
    let pinned = place.path().join("pinned.pem");
    fs::copy(process.state.path().join("selfsigned.pem"), &pinned).expect("a certificate");
    let (fingerprint, _) = openssl(
        place.path(),
        "x509 -in pinned.pem -noout -fingerprint -sha256",
    );
    let fingerprint = fingerprint.trim().rsplit('=').next().expect("a value");
    let said = || {
        let log = fs::read_to_string(place.path().join("log")).expect("a log");
        log.contains(fingerprint)
    };
    until("a warning with the fingerprint", said).await;
    let first = tls::trusting(&pinned, process.address).await;
    logged_in(first.expect("TLS"), "romeo").await.close().await;
    let process = Process::over(process.stop().await, &TLS_ALONE);
    let second = tls::trusting(&pinned, process.address).await;
    logged_in(second.expect("TLS"), "romeo").await.close().await;
    process.stop().await;
}

/// X9
#[tokio::test]
async fn x9_where_no_certificate_is_to_be_made_there_has_to_be_one() {
    let state = tempfile::tempdir().expect("a directory");
    let state = format!("state_dir={}", state.path().display());
    let mut arguments = vec!["serve", "--set", "tls.self_signed=false", "--set", &state];
    for option in TLS_ALONE {
        arguments.extend(["--set", option]);
    }
    let (code, text) = run_to_end(&arguments).await;
    assert_ne!(code, Some(0), "{text}");
    assert!(text.contains("tls.cert"), "{text}");
}

/// What makes `key.pem` in each form that PEM files come in.
const KEYS: [(&str, &str); 4] = [
    (
        "BEGIN PRIVATE KEY",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem",
    ),
    (
        "BEGIN PRIVATE KEY",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem",
    ),
    (
        "BEGIN RSA PRIVATE KEY",
        "genrsa -traditional -out key.pem 2048",
    ),
    (
        "BEGIN EC PRIVATE KEY",
        "ecparam -name prime256v1 -genkey -noout -out key.pem",
    ),
];

/// X10: no chapter about conversions.
#[tokio::test]
async fn x10_a_key_of_each_kind_is_served_as_it_is() {
    for (kind, make) in KEYS {
        let dir = tempfile::tempdir().expect("a directory");
        made(dir.path(), make);
        let key = fs::read_to_string(dir.path().join("key.pem")).expect("a key");
        assert!(key.contains(kind), "{key}");
        let sign = "req -x509 -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                    -key key.pem -out cert.pem";
        made(dir.path(), sign);
        let process = serving(&files(dir.path(), "cert.pem", "key.pem")).await;
        let root = dir.path().join("cert.pem");
        for version in ["-tls1_2", "-tls1_3"] {
            let options = format!("{version} -verify_return_error -CAfile {}", root.display());
            let (text, is_done) = s_client(process.address, &options).await;
            assert!(is_done, "{make}: {text}");
        }
    }
}

/// X10: what is not read is named, with the line that makes of it what is.
#[tokio::test]
async fn x10_a_key_that_cannot_be_read_is_named_with_the_line_that_converts_it() {
    let dir = authority();
    leaf(dir.path(), "1");
    let encrypt = "pkcs8 -topk8 -in key.pem -passout pass:secret -out encrypted.pem";
    made(dir.path(), encrypt);
    made(dir.path(), "pkey -in key.pem -outform DER -out key.der");
    let state = format!("state_dir={}", dir.path().display());
    for (file, kind) in [("encrypted.pem", "encrypted"), ("key.der", "DER")] {
        let [cert, key] = files(dir.path(), "chain.pem", file);
        let mut arguments = vec!["serve", "--set", &cert, "--set", &key, "--set", &state];
        for option in TLS_ALONE {
            arguments.extend(["--set", option]);
        }
        let (code, text) = run_to_end(&arguments).await;
        assert_eq!(code, Some(1), "{file}: {text}");
        assert!(text.contains(file) && text.contains(kind), "{file}: {text}");
        assert!(text.contains("openssl pkey -in"), "{file}: {text}");
    }
}

/// W11
#[tokio::test]
async fn w11_tls_1_1_is_refused() {
    let process = serving(&[]).await;
    // openssl itself would not try it at its usual level.
    let old = "-tls1_1 -cipher ALL:@SECLEVEL=0";
    let (text, is_done) = s_client(process.address, old).await;
    assert!(!is_done, "{text}");
    assert!(text.contains("alert"), "{text}"); // the server's own word, and no dead link
    let (text, is_done) = s_client(process.address, "-tls1_2").await;
    assert!(is_done, "{text}");
}

/// F3: `wss://host:port/ws/`, with nothing said about TLS but the port.
#[tokio::test]
async fn f3_two_people_chat_over_tls() {
    let process = serving(&[]).await;
    let root = process.state.path().join("selfsigned.pem");
    let mut people = Vec::new();
    for name in ["romeo", "juliet"] {
        let http = tls::trusting(&root, process.address).await;
        people.push(logged_in(http.expect("TLS"), name).await);
    }
    let [romeo, juliet] = &mut people[..] else {
        panic!("two people");
    };
    romeo.chat(&juliet.jid, "hark").await;
    assert_eq!(body(&juliet.next_named("message").await), "hark");
}
