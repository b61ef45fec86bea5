//! Listening sockets that the process was given at its start (systemd's socket activation).
//!
//! Whoever holds the socket keeps it open while one process goes and the next one comes: who
//! connects in between waits in its backlog and is not refused.

use crate::config::Listen;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Why sockets that were passed cannot be used. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// Not a TCP socket, or not one that listens.
    #[error("socket {number} of those that were passed cannot be listened on: {source}")]
    NotAListener {
        /// Its place among those that were passed, from 1.
        number: usize,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A name that means nothing here.
    #[error(
        "the socket {address} was passed by the name of {name:?}: the names are plain, tls and admin"
    )]
    UnknownName {
        /// The name.
        name: String,
        /// Where the socket listens.
        address: SocketAddr,
    },
    /// The options say something else about a socket that has a name.
    #[error(
        "{option} is {wanted}, and the socket that was passed for it listens on {address}: \
         they must be the same"
    )]
    OtherAddress {
        /// The option.
        option: Port,
        /// What it says.
        wanted: SocketAddr,
        /// Where the socket listens.
        address: SocketAddr,
    },
    /// A socket for an option that is not set.
    #[error("the socket {address} was passed for {option}, which is not set")]
    NotWanted {
        /// The option.
        option: Port,
        /// Where the socket listens.
        address: SocketAddr,
    },
    /// A socket without a name whose address is in no option.
    #[error("the socket {address} was passed, and no option has this address: {options}")]
    NoOption {
        /// Where the socket listens.
        address: SocketAddr,
        /// The options and what they say.
        options: String,
    },
    /// Two sockets for one option.
    #[error("two sockets were passed for {option}: {first} and {second}")]
    Twice {
        /// The option.
        option: Port,
        /// Where one of them listens.
        first: SocketAddr,
        /// Where the other does.
        second: SocketAddr,
    },
}

/// One of the ports of `[listen]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// `listen.plain`
    Plain,
    /// `listen.tls`
    Tls,
    /// `listen.admin`
    Admin,
}

impl Port {
    const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Admin];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Admin => "admin",
        }
    }

    fn wanted(self, listen: &Listen) -> Option<SocketAddr> {
        match self {
            Self::Plain => listen.plain,
            Self::Tls => listen.tls,
            Self::Admin => listen.admin,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listen.{}", self.name())
    }
}

/// The sockets that were passed. Dropping them closes them for this process only.
#[derive(Debug, Default)]
pub struct Handover(Vec<Passed>);

#[derive(Debug)]
struct Passed {
    /// `None`: to be known by its address.
    name: Option<String>,
    address: SocketAddr,
    socket: TcpListener,
}

impl Handover {
    /// The sockets that `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` tell this process of, if
    /// they do. To be called once, before there is a second thread: it takes them out of the
    /// environment.
    ///
    /// # Errors
    ///
    /// [`HandoverError::NotAListener`]
    pub fn of_process() -> Result<Self, HandoverError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = listenfd::ListenFd::from_env();
        let mut sockets = Vec::new();
        for (index, name) in (0..passed.len()).zip(names.split(':').chain(std::iter::repeat(""))) {
            let taken = passed.take_tcp_listener(index).transpose();
            let socket = taken
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
                .flatten();
            sockets.push((name.to_owned(), socket));
        }
        Self::of(sockets)
    }

    /// These sockets, each with its name. Without a name of ours it is known by its address.
    fn of(
        sockets: impl IntoIterator<Item = (String, io::Result<TcpListener>)>,
    ) -> Result<Self, HandoverError> {
        let mut passed = Vec::new();
        for (index, (name, socket)) in sockets.into_iter().enumerate() {
            let socket = socket.and_then(|socket| Ok((prepared(&socket)?, socket)));
            let (address, socket) = socket.map_err(|source| HandoverError::NotAListener {
                number: index + 1,
                source,
            })?;
            let name = (!is_no_name(&name)).then_some(name);
            passed.push(Passed {
                name,
                address,
                socket,
            });
        }
        Ok(Self(passed))
    }

    /// Finds the option of each socket.
    pub(super) fn assign(self, listen: &Listen) -> Result<Assigned, HandoverError> {
        let mut assigned = Assigned::default();
        for passed in self.0 {
            let port = passed.port(listen)?;
            let place = assigned.place(port);
            if let Some((first, _)) = place {
                return Err(HandoverError::Twice {
                    option: port,
                    first: *first,
                    second: passed.address,
                });
            }
            tracing::info!(option = %port, address = %passed.address, "socket taken over");
            *place = Some((passed.address, passed.socket));
        }
        Ok(assigned)
    }
}

impl Passed {
    fn port(&self, listen: &Listen) -> Result<Port, HandoverError> {
        let address = self.address;
        let Some(name) = &self.name else {
            let fits = |port: &Port| port.wanted(listen).is_some_and(|w| is_same(w, address));
            let port = Port::ALL.into_iter().find(fits);
            return port.ok_or_else(|| HandoverError::NoOption {
                address,
                options: in_words(listen),
            });
        };
        let port = Port::ALL.into_iter().find(|port| port.name() == name);
        let option = port.ok_or_else(|| HandoverError::UnknownName {
            name: name.clone(),
            address,
        })?;
        match option.wanted(listen) {
            None => Err(HandoverError::NotWanted { option, address }),
            Some(wanted) if !may_be(wanted, address) => Err(HandoverError::OtherAddress {
                option,
                wanted,
                address,
            }),
            Some(_) => Ok(option),
        }
    }
}

/// The sockets that were passed, each with its option. What is left out is bound as ever.
#[derive(Debug, Default)]
pub(super) struct Assigned([Option<(SocketAddr, TcpListener)>; Port::ALL.len()]);

impl Assigned {
    fn place(&mut self, port: Port) -> &mut Option<(SocketAddr, TcpListener)> {
        let [plain, tls, admin] = &mut self.0;
        match port {
            Port::Plain => plain,
            Port::Tls => tls,
            Port::Admin => admin,
        }
    }

    pub(super) fn take(&mut self, port: Port) -> Option<TcpListener> {
        self.place(port).take().map(|(_, socket)| socket)
    }
}

/// What systemd calls a socket whose unit names it not: by the unit. Others leave it empty or say
/// "unknown".
fn is_no_name(name: &str) -> bool {
    name.is_empty() || name == "unknown" || name.ends_with(".socket")
}

/// Makes the socket fit for the runtime. Returns where it listens.
fn prepared(socket: &TcpListener) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    if !SockRef::from(socket).is_listener()? {
        return Err(io::Error::other(format!(
            "{address} does not listen (a unit with Accept=yes?)"
        )));
    }
    socket.set_nonblocking(true)?;
    Ok(address)
}

fn is_same(wanted: SocketAddr, address: SocketAddr) -> bool {
    let ip = |address: SocketAddr| address.ip().to_canonical();
    ip(wanted) == ip(address) && wanted.port() == address.port()
}

/// A name says which port is meant, so port 0 means any.
fn may_be(wanted: SocketAddr, address: SocketAddr) -> bool {
    let port = match wanted.port() {
        0 => address.port(),
        port => port,
    };
    is_same(SocketAddr::new(wanted.ip(), port), address)
}

fn in_words(listen: &Listen) -> String {
    let option = |port: Port| match port.wanted(listen) {
        Some(address) => format!("{port} is {address}"),
        None => format!("{port} is not set"),
    };
    Port::ALL.map(option).join(", ")
}

#[cfg(test)]
mod tests;
