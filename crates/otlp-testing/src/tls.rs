//! Certificates for one test run: a CA of its own, a server and a client that it signed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// A CA, a server certificate for `localhost`, 127.0.0.1 and ::1, and a client certificate; PEM.
///
/// Made anew each time, kept in memory only. Two values share nothing, so the second one's client
/// is a stranger to the first one's server.
#[derive(Clone)]
pub struct Certificates {
    ca: String,
    server: Identity,
    client: Identity,
}

#[derive(Clone)]
struct Identity {
    certificate: String,
    key: String,
}

/// Where [`Certificates::write_client_files`] has put its files.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientFiles {
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    pub ca: PathBuf,
    /// `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`.
    pub certificate: PathBuf,
    /// `OTEL_EXPORTER_OTLP_CLIENT_KEY`.
    pub key: PathBuf,
}

/// Certificates that could not be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate library refused.
    #[error("the certificates could not be made: {0}")]
    Generate(#[from] rcgen::Error),
    /// The TLS library refused.
    #[error("the TLS configuration is not accepted: {0}")]
    Config(#[from] rustls::Error),
    /// The CA is no use for checking client certificates.
    #[error("client certificates cannot be checked: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The PEM text does not parse.
    #[error("the PEM text does not parse: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
}

impl Certificates {
    /// Makes a CA, a server and a client certificate.
    ///
    /// # Errors
    ///
    /// There is no randomness to be had.
    pub fn generate() -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let params = ca_params();
        let ca = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self {
            ca,
            server: issue(&server_params()?, &issuer)?,
            client: issue(&client_params(), &issuer)?,
        })
    }

    /// The CA's certificate: `OTEL_EXPORTER_OTLP_CERTIFICATE`.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca
    }

    /// The server's certificate.
    #[must_use]
    pub fn server_certificate_pem(&self) -> &str {
        &self.server.certificate
    }

    /// The server's private key.
    #[must_use]
    pub fn server_key_pem(&self) -> &str {
        &self.server.key
    }

    /// The client's certificate: `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`.
    #[must_use]
    pub fn client_certificate_pem(&self) -> &str {
        &self.client.certificate
    }

    /// The client's private key: `OTEL_EXPORTER_OTLP_CLIENT_KEY`.
    #[must_use]
    pub fn client_key_pem(&self) -> &str {
        &self.client.key
    }

    /// Writes what a client needs into `folder`, as `ca.pem`, `client.pem` and `client.key`: for
    /// the settings that take paths.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write_client_files(&self, folder: &Path) -> io::Result<ClientFiles> {
        let write = |name: &str, pem: &str| {
            let path = folder.join(name);
            fs::write(&path, pem).map(|()| path)
        };
        Ok(ClientFiles {
            ca: write("ca.pem", self.ca_pem())?,
            certificate: write("client.pem", self.client_certificate_pem())?,
            key: write("client.key", self.client_key_pem())?,
        })
    }

    /// A server configuration with the ring provider that offers `protocols` (ALPN) and, when
    /// `mutual`, requires a client certificate signed by this CA.
    pub(crate) fn server_config(
        &self,
        mutual: bool,
        protocols: &[&[u8]],
    ) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if mutual {
            let roots = Arc::new(self.roots()?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(self.server.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(self.server.key.as_bytes())?;
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca.as_bytes())?)?;
        Ok(roots)
    }
}

impl fmt::Debug for Certificates {
    /// Without the keys, also in a test's output.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

fn issue(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Identity, TlsError> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(Identity { certificate, key: key.serialize_pem() })
}

fn ca_params() -> CertificateParams {
    let mut params = named("OTLP test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params() -> Result<CertificateParams, TlsError> {
    let mut params = named("OTLP test server");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn client_params() -> CertificateParams {
    let mut params = named("OTLP test client");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
