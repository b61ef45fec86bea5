//! HTTP requests that are made again until they are answered, over connections that may break at any
//! byte.

use crate::kit::bosh::PATH;
use crate::link::broken;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Connections that are open and have no request.
pub type Pool = Arc<Mutex<Vec<TcpStream>>>;

/// One POST and the body of its answer, if that has status 200.
pub async fn post(
    address: SocketAddr,
    pool: &Pool,
    body: &str,
    limit: Duration,
) -> io::Result<String> {
    let idle = pool.lock().expect("no holder panics").pop();
    let exchange = async {
        let mut io = match idle {
            Some(io) => io,
            None => TcpStream::connect(address).await?,
        };
        io.set_nodelay(true)?;
        let length = body.len();
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nHost: example.org\r\nContent-Type: text/xml; charset=utf-8\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        io.write_all(request.as_bytes()).await?;
        let answer = read(&mut io).await?;
        Ok::<_, io::Error>((io, answer))
    };
    let (io, answer) = timeout(limit, exchange).await??;
    pool.lock().expect("no holder panics").push(io);
    Ok(answer)
}

async fn read(io: &mut TcpStream) -> io::Result<String> {
    let mut buffer = Vec::new();
    let end = loop {
        if let Some(at) = crate::kit::http::find(&buffer, b"\r\n\r\n") {
            break at + 4;
        }
        fill(io, &mut buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let mut lines = head.lines();
    let is_ok = lines
        .next()
        .is_some_and(|line| line.starts_with("http/1.1 200 "));
    let length = lines.find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    let (true, Some(length)) = (is_ok, length) else {
        return Err(broken(&head));
    };
    while buffer.len() < end + length {
        fill(io, &mut buffer).await?;
    }
    String::from_utf8(buffer.split_off(end)).map_err(|_| broken("no UTF-8"))
}

async fn fill(io: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    match io.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
