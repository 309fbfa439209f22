//! The server's side of TLS: certificates in, a configuration of rustls out, and again when they change.

use std::sync::Arc;

use otlp_core::export::{Pem, PemSource};
use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::connection::Door;
use super::lifetime::Phase;
use super::settings::{TlsServerSettings, TlsVersion};
use crate::seldom::Seldom;

/// What handshakes are made with: the last certificates that were good.
pub(super) struct Tls {
    settings: TlsServerSettings,
    protocols: Vec<Vec<u8>>,
    current: Mutex<Current>,
}

struct Current {
    texts: Texts,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the certificates. What is wrong is said without a word of them.
    pub(super) fn new(settings: &TlsServerSettings, protocols: &[&[u8]]) -> Result<Self, String> {
        let protocols: Vec<_> = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let texts = Texts::read(settings)?;
        let acceptor = acceptor(settings, &texts, &protocols)?;
        let current = Mutex::new(Current { texts, acceptor });
        Ok(Self { settings: settings.clone(), protocols, current })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.lock().acceptor.clone()
    }

    /// Reads the certificates again; what is wrong leaves the old ones. Blocks as files do.
    fn reload(&self) -> Result<(), String> {
        let texts = Texts::read(&self.settings)?;
        // What has not changed keeps the sessions that clients may resume.
        if texts == self.current.lock().texts {
            return Ok(());
        }
        let acceptor = acceptor(&self.settings, &texts, &self.protocols)?;
        *self.current.lock() = Current { texts, acceptor };
        Ok(())
    }
}

/// Reads the certificates again and again, if that is set, for as long as connections are taken.
pub(super) async fn reload(door: Arc<Door>, mut phase: watch::Receiver<Phase>) {
    let every = door.tls.as_ref().and_then(|tls| tls.settings.reload_after());
    let Some(every) = every else { return };
    loop {
        tokio::select! {
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            () = sleep(every) => {}
        }
        let read = Arc::clone(&door);
        let reloaded = spawn_blocking(move || read.tls.as_ref().map_or(Ok(()), Tls::reload)).await;
        if let Ok(Err(message)) = reloaded {
            door.counters().failed_reloads.add(1);
            KEPT.warn(|| format!("{message}; the certificates from before stay in use"));
        }
    }
}

static KEPT: Seldom = Seldom::new();

/// What the settings refer to.
#[derive(PartialEq, Eq)]
struct Texts {
    chain: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Texts {
    fn read(settings: &TlsServerSettings) -> Result<Self, String> {
        let [cert, key] = settings.identity().map_err(|error| format!("tls::{error}"))?;
        let client_ca = settings.client_ca_file.as_ref().map(Pem::from_path);
        Ok(Self {
            chain: text("cert", &cert)?,
            key: text("key", &key)?,
            client_ca: client_ca.map(|pem| text("client_ca", &pem)).transpose()?,
        })
    }
}

fn acceptor(
    settings: &TlsServerSettings,
    texts: &Texts,
    protocols: &[Vec<u8>],
) -> Result<TlsAcceptor, String> {
    let chain = certificates("cert", &texts.chain)?;
    let key = PrivateKeyDer::from_pem_slice(&texts.key)
        .map_err(|error| format!("tls::key holds no private key in PEM: {error}"))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(settings)?)
        .map_err(|error| error.to_string())?;
    let builder = match &texts.client_ca {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let mut store = RootCertStore::empty();
            for certificate in certificates("client_ca", roots)? {
                store.add(certificate).map_err(|error| format!("tls::client_ca_file: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
                .build()
                .map_err(|error| format!("tls::client_ca_file: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls: certificate and key cannot be used: {error}"))?;
    config.alpn_protocols = protocols.to_vec();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn versions(
    settings: &TlsServerSettings,
) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let newest = settings.max_version.unwrap_or(TlsVersion::V1_3);
    match (settings.min_version, newest) {
        (TlsVersion::V1_2, TlsVersion::V1_2) => Ok(vec![&TLS12]),
        (TlsVersion::V1_2, TlsVersion::V1_3) => Ok(vec![&TLS13, &TLS12]),
        (TlsVersion::V1_3, TlsVersion::V1_3) => Ok(vec![&TLS13]),
        (TlsVersion::V1_3, TlsVersion::V1_2) => {
            Err("tls::min_version is newer than tls::max_version".to_owned())
        }
    }
}

fn text(what: &str, pem: &Pem) -> Result<Vec<u8>, String> {
    match pem.source() {
        PemSource::Bytes(text) => Ok(text.to_vec()),
        PemSource::Path(file) => std::fs::read(file)
            .map_err(|error| format!("tls::{what}_file: {}: {error}", file.display())),
        _ => Err(format!("tls::{what} cannot be read from where it is")),
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| format!("tls::{what} is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err(format!("tls::{what} holds no certificate in PEM"));
    }
    Ok(chain)
}
