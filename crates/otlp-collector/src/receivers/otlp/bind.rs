//! Binds: to addresses of TCP, or to the file of a Unix socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::settings::SocketKind;
use super::stream::Stream;
#[cfg(unix)]
use super::unix::UnixSocket;

/// What connections come from.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl Listener {
    /// Listens at an endpoint such as `localhost:4317`, `:4317` or `/run/otlp.sock`.
    pub(super) async fn bind(endpoint: &str, transport: SocketKind) -> io::Result<Self> {
        if transport == SocketKind::Unix {
            return unix(endpoint).await;
        }
        tcp(endpoint, transport).await.map(Self::Tcp)
    }

    pub(super) fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// The next connection. A client of a Unix socket has no address: all of them are one peer.
    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Without it small answers wait for the client's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), peer))
            }
            #[cfg(unix)]
            Self::Unix(socket) => Ok((Stream::Unix(socket.accept().await?), NOWHERE)),
        }
    }
}

#[cfg(unix)]
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(unix)]
async fn unix(endpoint: &str) -> io::Result<Listener> {
    UnixSocket::bind(endpoint.as_ref()).await.map(Listener::Unix)
}

#[cfg(not(unix))]
async fn unix(_endpoint: &str) -> io::Result<Listener> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}

/// Listens at the first address of TCP that can be had.
pub(crate) async fn tcp(endpoint: &str, transport: SocketKind) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "it names no address");
    for address in addresses(endpoint, transport).await? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn addresses(endpoint: &str, transport: SocketKind) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.strip_prefix(':').map(str::parse::<u16>);
    let mut addresses: Vec<SocketAddr> = match port {
        Some(Ok(port)) => {
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
        _ => {
            let mut found: Vec<_> = lookup_host(endpoint).await?.collect();
            // As Go does: `localhost` is 127.0.0.1 where it can be.
            found.sort_by_key(SocketAddr::is_ipv6);
            found
        }
    };
    addresses.retain(|address| match transport {
        SocketKind::Tcp4 => address.is_ipv4(),
        SocketKind::Tcp6 => address.is_ipv6(),
        SocketKind::Tcp | SocketKind::Unix => true,
    });
    Ok(addresses)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart must not wait for the connections of the last run to be forgotten.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

const BACKLOG: u32 = 1024;
