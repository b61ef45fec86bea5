//! Everything that a start needs, tried without starting.

use super::start::{StartError, open_store};
use super::{admin, edge, options};
use crate::config::Config;
use crate::http::listener::{ConnectionCap, Listener};
use crate::http::tls::TlsKeeper;

/// One thing that was tried.
#[derive(Debug)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    /// What was found, or what is wrong.
    pub outcome: Result<String, String>,
}

/// Tries the store, the certificate, the ports, the token and the web client. Inside a tokio runtime.
///
/// A port that a running server holds is reported as in use.
pub async fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![Check {
        name: "options",
        outcome: options_in_words(config),
    }];
    checks.push(Check {
        name: "store",
        outcome: store(config).await,
    });
    if config.listen.tls.is_some() {
        checks.push(Check {
            name: "tls",
            outcome: certificate(config),
        });
    }
    let listen = &config.listen;
    for (name, address) in [
        ("plain", listen.plain),
        ("tls port", listen.tls),
        ("admin", listen.admin),
    ] {
        if let Some(address) = address {
            checks.push(Check {
                name,
                outcome: port(config, address),
            });
        }
    }
    if let (Some(_), Some(file)) = (listen.admin, &config.admin.token_file) {
        let outcome = admin::Prepared::of(config);
        let outcome = outcome.map(|_| format!("{}", file.display()));
        checks.push(Check {
            name: "token",
            outcome: outcome.map_err(|error| error.to_string()),
        });
    }
    if config.web.client_dir.is_some() {
        checks.push(Check {
            name: "web client",
            outcome: web_client(config),
        });
    }
    checks
}

fn options_in_words(config: &Config) -> Result<String, String> {
    let warnings = config.warnings();
    let serves = format!(
        "serves {} at {}",
        config.domains.join(", "),
        config.public_url()
    );
    Ok(std::iter::once(serves)
        .chain(warnings)
        .collect::<Vec<_>>()
        .join("\n             ! "))
}

async fn store(config: &Config) -> Result<String, String> {
    let store = open_store(config).map_err(|error| error.to_string())?;
    store.secret().await.map_err(|error| error.to_string())?;
    store.close().await.map_err(|error| error.to_string())?;
    Ok(format!("{}", config.state_dir.display()))
}

fn certificate(config: &Config) -> Result<String, String> {
    let source = options::certificate(config);
    let source = source.ok_or_else(|| StartError::NoCertificate.to_string())?;
    let host = config.public_url.as_ref().map(|url| url.host().to_owned());
    let keeper = TlsKeeper::load(&source, host).map_err(|error| error.to_string())?;
    let report = keeper.report();
    let found = format!(
        "{}, SHA-256 {}",
        report.names.join(", "),
        report.fingerprint
    );
    let warnings = report.warnings.iter().map(ToString::to_string);
    Ok(std::iter::once(found)
        .chain(warnings)
        .collect::<Vec<_>>()
        .join("\n             ! "))
}

fn port(config: &Config, address: std::net::SocketAddr) -> Result<String, String> {
    let options = options::listener(config, &ConnectionCap::new(1), None);
    match Listener::bind(address, options) {
        Ok(listener) => Ok(format!("{} is free", listener.address())),
        Err(error) => Err(error.to_string()),
    }
}

fn web_client(config: &Config) -> Result<String, String> {
    let served = edge::client_files(config).map_err(|error| error.to_string())?;
    Ok(served.map(|_| "found".to_owned()).unwrap_or_default())
}
