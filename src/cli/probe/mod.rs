//! `stanzad probe`: connects as a browser would, one named step after the other.

mod report;
mod stream;
mod target;
mod tls;
mod upgrade;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use self::report::{Done, Report, Trouble};
use self::target::Target;
use super::{Failure, ProbeArgs};
use crate::config::Config;

/// Probes the URL of `args`, or that of the first endpoint.
///
/// # Errors
///
/// [`Failure::Usage`] for what is no WebSocket URL, [`Failure::Told`] once the step that failed has
/// been printed.
pub(super) fn run(config: &Config, from_file: bool, args: &ProbeArgs) -> Result<(), Failure> {
    let target = Target::of(config, from_file, args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("runtime: {error}")))?;
    runtime.block_on(probe(&mut std::io::stdout(), &target, args))
}

/// Every byte stream that a WebSocket can run over.
trait Link: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Link for T {}

async fn probe(out: &mut dyn Write, target: &Target, args: &ProbeArgs) -> Result<(), Failure> {
    let mut report = Report::new(out, args.timeout);
    report.title(target);
    let addresses = report.step("DNS", DNS_SLOW, resolve(target)).await?;
    let tcp = report
        .step("TCP", TCP_SLOW, connect(target, &addresses, args))
        .await?;
    let link: Box<dyn Link> = if target.secure {
        let secured = tls::secure(target, tcp, args);
        Box::new(report.step("TLS", TLS_SLOW, secured).await?)
    } else {
        Box::new(tcp)
    };
    let upgraded = upgrade::upgrade(target, link, args);
    let answer = report.step("upgrade", UPGRADE_SLOW, upgraded).await?;
    let mut socket = report
        .step("subprotocol", "", async { upgrade::subprotocol(answer) })
        .await?;
    report
        .step("open", OPEN_SLOW, stream::open(&mut socket, &target.domain))
        .await?;
    report
        .step("features", FEATURES_SLOW, stream::features(&mut socket))
        .await?;
    stream::close(&mut socket).await;
    report.done();
    Ok(())
}

const DNS_SLOW: &str = "Ask your resolver: `getent ahosts HOST`.";
const TCP_SLOW: &str = "A firewall on the way drops the packets, or the address is the wrong one.";
const TLS_SLOW: &str =
    "Something accepts connections there and does not speak TLS; is the port right?";
const UPGRADE_SLOW: &str = "Nothing answers the HTTP request. A port with TLS needs wss://; a proxy \
                            may be waiting for a server that it cannot reach.";
const OPEN_SLOW: &str = "The upgrade passed and the frames do not: a proxy on the way holds them \
                         back, or answers upgrades by itself.";
const FEATURES_SLOW: &str = "The server opened the stream and sends no features (RFC 6120 §4.3.2).";

async fn resolve(target: &Target) -> Result<Done<Vec<SocketAddr>>, Trouble> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(|error| Trouble::new(error, NO_ADDRESS))?
        .take(ADDRESSES_MAX)
        .collect();
    if addresses.is_empty() {
        return Err(Trouble::new("no address", NO_ADDRESS));
    }
    let shown: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    Ok(Done::new(addresses, shown.join(", ")))
}

const NO_ADDRESS: &str = "The name has no A or AAAA record that this machine can see. Check the \
                          spelling and the zone.";
/// As many as are tried; a name with more is as good as dead if these are.
const ADDRESSES_MAX: usize = 8;

/// Connects to the first address that answers, as a browser would in the end.
async fn connect(
    target: &Target,
    addresses: &[SocketAddr],
    args: &ProbeArgs,
) -> Result<Done<TcpStream>, Trouble> {
    let each = args.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut failures = Vec::new();
    for address in addresses {
        match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                return Ok(Done {
                    warnings: failures,
                    ..Done::new(tcp, address.to_string())
                });
            }
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(_) => failures.push(format!("{address}: no answer")),
        }
    }
    let advice = format!(
        "Nothing listens there, or a firewall refuses. Does the server run, and does it listen on \
         port {} of an address that is reached from here (listen.plain, listen.tls)?",
        target.port
    );
    Err(Trouble::new(failures.join("; "), advice))
}
