//! The settings of a server, and its start.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use otlp_core::Signal;
use parking_lot::Mutex;

use super::site::Site;
use super::{Server, Tls};
use crate::tls::Certificates;

/// Settings of a [`Server`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is started"]
pub struct ServerBuilder {
    grpc_port: u16,
    http_port: u16,
    workers: usize,
    counts_only: bool,
    compress: bool,
    routes: Vec<(String, Signal)>,
    tls: Option<(Certificates, ClientCertificate)>,
}

#[derive(Clone, Copy, Debug)]
enum ClientCertificate {
    Ignored,
    Required,
}

impl ServerBuilder {
    /// The gRPC port; 0, the default, takes a free one.
    pub fn with_grpc_port(mut self, port: u16) -> Self {
        self.grpc_port = port;
        self
    }

    /// The HTTP port; 0, the default, takes a free one.
    pub fn with_http_port(mut self, port: u16) -> Self {
        self.http_port = port;
        self
    }

    /// Runs on that many worker threads; the default, 0, is the server's one thread.
    pub fn with_worker_threads(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Counts requests and items and keeps none of them: for benches and long runs.
    pub fn counts_only(mut self) -> Self {
        self.counts_only = true;
        self
    }

    /// Compresses answers with gzip where the client accepts it (row H16).
    pub fn with_compressed_answers(mut self) -> Self {
        self.compress = true;
        self
    }

    /// Serves `signal` over HTTP also at `path` (`/` included); other unknown paths are 404.
    pub fn with_http_path(mut self, path: &str, signal: Signal) -> Self {
        self.routes.push((path.to_owned(), signal));
        self
    }

    /// Speaks TLS on both ports, with the server's certificate of `certificates`.
    pub fn with_tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some((certificates.clone(), ClientCertificate::Ignored));
        self
    }

    /// Speaks TLS and requires a client certificate that the CA of `certificates` signed.
    pub fn with_mutual_tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some((certificates.clone(), ClientCertificate::Required));
        self
    }

    /// Starts the server; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// A port is taken, no thread could be started, or the certificates do not fit together.
    pub fn start(self) -> io::Result<Server> {
        let grpc = TcpListener::bind((Ipv4Addr::LOCALHOST, self.grpc_port))?;
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, self.http_port))?;
        let server = Server {
            grpc: grpc.local_addr()?,
            http: http.local_addr()?,
            tls: self.tls.as_ref().map(tls_of).transpose()?,
            workers: self.workers,
            running: Mutex::new(None),
            site: Arc::new(Site::new(self.counts_only, self.compress, self.routes)),
        };
        let background = server.run(grpc, http)?;
        *server.running.lock() = Some(background);
        Ok(server)
    }
}

fn tls_of((certificates, client): &(Certificates, ClientCertificate)) -> io::Result<Tls> {
    let mutual = matches!(client, ClientCertificate::Required);
    let config = |protocols: &[&[u8]]| {
        let config = certificates.server_config(mutual, protocols).map_err(io::Error::other)?;
        Ok::<_, io::Error>(Arc::new(config))
    };
    Ok(Tls { grpc: config(&[b"h2"])?, http: config(&[b"h2", b"http/1.1"])? })
}
