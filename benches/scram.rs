//! What a login costs the server: SCRAM against PLAIN, and the making of an account.
//!
//! A SCRAM login should stay in microseconds whatever the iterations; PLAIN and derivation pay them
//! all, and are the figures that `iterations` is chosen by.

mod kit;

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use stanzad::auth::{
    ChannelBinding, Credentials, Exchange, ITERATIONS_DEFAULT, LinkSecurity, Mechanism, Offer,
    Realm, Secret, Step, Throttle,
};

/// A realm, an offer and an account in it, as a server holds them.
struct Server {
    realm: Arc<Realm>,
    offer: Arc<Offer>,
    credentials: Credentials,
}

impl Server {
    fn new() -> Self {
        let domain = "example.org".parse().expect("a domain");
        let secret = Secret::from_bytes([7; Secret::SIZE_BYTES]);
        let realm = Realm::new(domain, secret, ITERATIONS_DEFAULT).expect("in range");
        Self {
            realm: Arc::new(realm),
            offer: Arc::new(Offer::new(Mechanism::ALL, &LinkSecurity::Confidential)),
            credentials: Credentials::derive("pencil", ITERATIONS_DEFAULT).expect("sound"),
        }
    }

    fn exchange(&self, mechanism: Mechanism) -> Exchange {
        let (realm, offer) = (self.realm.clone(), self.offer.clone());
        Exchange::new(mechanism, realm, offer, ChannelBinding::NONE).expect("offered")
    }

    /// Both messages of a login whose proof is wrong: the same work as a right one.
    fn scram(&self, mechanism: Mechanism, proof: &str, credentials: Option<Credentials>) -> Step {
        let mut exchange = self.exchange(mechanism);
        exchange.on_message(Some(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"));
        let Step::Challenge(server_first) = exchange.on_credentials(credentials) else {
            panic!("a client-first-message is challenged");
        };
        let server_first = String::from_utf8(server_first).expect("text");
        let nonce = server_first.split(',').next().unwrap_or_default();
        let client_final = format!("c=biws,{nonce},p={proof}");
        exchange.on_message(Some(client_final.as_bytes()))
    }
}

fn logins(c: &mut Criterion) {
    let server = Server::new();
    // 20, 32 and 64 bytes of nothing.
    for (mechanism, proof) in [
        (Mechanism::ScramSha1, format!("{}=", "A".repeat(27))),
        (Mechanism::ScramSha256, format!("{}=", "A".repeat(43))),
        (Mechanism::ScramSha512, format!("{}==", "A".repeat(86))),
    ] {
        let outcome = server.scram(mechanism, &proof, Some(server.credentials.clone()));
        assert!(matches!(outcome, Step::Failure(failure) if failure.is_guess()));
        let name = mechanism.name();
        c.bench_function(&format!("login/{name}"), |b| {
            b.iter(|| server.scram(mechanism, &proof, Some(server.credentials.clone())))
        });
        c.bench_function(&format!("login/{name} of an unknown account"), |b| {
            b.iter(|| server.scram(mechanism, &proof, None))
        });
    }
    let mut slow = c.benchmark_group("at 10,000 iterations");
    slow.sample_size(10);
    for (name, credentials) in [
        ("login/PLAIN", Some(&server.credentials)),
        ("login/PLAIN of an unknown account", None),
    ] {
        slow.bench_function(name, |b| {
            b.iter_batched(
                || {
                    let mut exchange = server.exchange(Mechanism::Plain);
                    exchange.on_message(Some(b"\0user\0pencil"));
                    (exchange, credentials.cloned())
                },
                |(mut exchange, credentials)| exchange.on_credentials(credentials),
                BatchSize::SmallInput,
            )
        });
    }
    slow.bench_function("derive", |b| {
        b.iter(|| Credentials::derive(black_box("pencil"), ITERATIONS_DEFAULT))
    });
}

fn throttle(c: &mut Criterion) {
    let now = Instant::now();
    let mut throttle = Throttle::default();
    let mut host: u32 = 0;
    c.bench_function("throttle/an attempt from ever new addresses", |b| {
        b.iter(|| {
            host = host.wrapping_add(1);
            let address = IpAddr::from(host.to_be_bytes());
            black_box(throttle.begin(now, Duration::ZERO, "user", address))
        })
    });
}

criterion_group! {
    name = benches;
    config = kit::criterion();
    targets = logins, throttle
}
criterion_main!(benches);
