//! The yardstick: the least that a relay of XMPP over WebSocket can do on tokio and tungstenite.
//!
//! It answers a login with constants, finds `to` in a message, and hands the same bytes to the
//! connection that has this address. It checks nothing and stores nothing: what a server costs
//! above it is the price of being a server.

#![forbid(unsafe_code)]

mod answers;
mod connection;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpSocket;

use crate::table::Table;

#[derive(Parser)]
#[command(name = "limit", version)]
struct Cli {
    #[arg(long, default_value = "127.0.0.1:5299")]
    listen: SocketAddr,
    /// Threads that serve connections
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// What each connection reads into, in bytes: more makes floods cheaper and sessions larger
    #[arg(long, default_value_t = 4096)]
    read_buffer: usize,
}

fn main() -> std::io::Result<()> {
    let cli = Cli::parse();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cli.workers)
        .enable_all()
        .build()?
        .block_on(serve(cli.listen, cli.read_buffer))
}

async fn serve(address: SocketAddr, read_buffer: usize) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(4096)?;
    println!("listening on {}", listener.local_addr()?);
    let table = Arc::new(Table::default());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection::serve(stream, table.clone(), read_buffer));
            }
            // Out of files: those that are open may close.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}
