//! TLS and its absence.

use super::*;

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_an_https_endpoint_is_refused_by_name() {
    let error = builder("https://localhost:4318").build_with(&Env::empty()).unwrap_err();
    assert!(error.to_string().contains("feature `tls`"), "{error}");
}

#[cfg(feature = "tls")]
mod with_the_feature {
    use std::sync::Arc;

    use otlp_core::export::{Pem, TlsConfig};
    use otlp_testing::tls::Certificates;
    use otlp_testing::{RawAnswer, RawServer, Reply, Server};
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn trusting(certificates: &Certificates) -> TlsConfig {
        TlsConfig::new().with_ca(Pem::from_bytes(certificates.ca_pem()))
    }

    fn identified(certificates: &Certificates, tls: TlsConfig) -> TlsConfig {
        tls.with_client_identity(
            Pem::from_bytes(certificates.client_certificate_pem()),
            Pem::from_bytes(certificates.client_key_pem()),
        )
    }

    #[tokio::test]
    async fn a_trusted_server_is_spoken_to() {
        let certificates = Certificates::generate().unwrap();
        let server = Server::builder().with_tls(&certificates).start().unwrap();
        let by_name = format!("https://localhost:{}", server.http_addr().port());
        for endpoint in [server.http_endpoint(), by_name] {
            let exporter = built(builder(endpoint).with_tls(trusting(&certificates)));
            let outcome = export(&exporter).await;
            assert!(is_delivered(&outcome), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn http_2_is_spoken_where_it_is_offered() {
        // H2
        let certificates = Certificates::generate().unwrap();
        let server = Server::builder().with_tls(&certificates).start().unwrap();
        let exporter = built(builder(server.http_endpoint()).with_tls(trusting(&certificates)));
        assert!(is_delivered(&export(&exporter).await));
        assert_eq!(format!("{:?}", server.requests()[0].http_version), "HTTP/2.0");
    }

    #[tokio::test]
    async fn http_1_is_spoken_where_nothing_else_is_offered() {
        // H2
        let certificates = Certificates::generate().unwrap();
        let chain =
            CertificateDer::pem_slice_iter(certificates.server_certificate_pem().as_bytes());
        let key = PrivateKeyDer::from_pem_slice(certificates.server_key_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
            .unwrap();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let served = async {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
            let mut socket = acceptor.accept(socket).await.unwrap();
            let mut request = vec![0; 16];
            socket.read_exact(&mut request).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            socket.flush().await.unwrap();
            (request, socket)
        };
        let exporter = built(builder(endpoint).with_tls(trusting(&certificates)));
        let (outcome, (request, _)) = tokio::join!(export(&exporter), served);
        assert!(is_delivered(&outcome), "{outcome:?}");
        assert_eq!(request, b"POST /v1/traces ");
    }

    #[tokio::test]
    async fn headers_of_http_2_over_their_limit_are_refused() {
        // S4
        let certificates = Certificates::generate().unwrap();
        let server = Server::builder().with_tls(&certificates).start().unwrap();
        let exporter = built(builder(server.http_endpoint()).with_tls(trusting(&certificates)));
        for bytes in [64 << 10, 16 << 20] {
            server.respond_with(Reply::huge_trailers(bytes));
            let outcome = export(&exporter).await;
            assert!(is_permanent(&outcome), "{bytes}: {outcome:?}");
            let text = message(&outcome);
            assert!(text.contains("16 KiB") && !text.contains("4194304"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_stranger_is_not_trusted() {
        let (ours, theirs) = (Certificates::generate().unwrap(), Certificates::generate().unwrap());
        let server = Server::builder().with_tls(&theirs).start().unwrap();
        let outcome =
            export(&built(builder(server.http_endpoint()).with_tls(trusting(&ours)))).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::Connect), "{outcome:?}");
        let text = message(&outcome);
        assert!(
            text.contains("invalid peer certificate") && text.contains("hint: set the cert"),
            "{text}"
        );
        assert_eq!(server.counts().arrived, 0);
    }

    #[tokio::test]
    async fn a_client_shows_its_certificate() {
        let certificates = Certificates::generate().unwrap();
        let server = Server::builder().with_mutual_tls(&certificates).start().unwrap();
        let tls = trusting(&certificates);
        let nameless = built(builder(server.http_endpoint()).with_tls(tls.clone()));
        let outcome = export(&nameless).await;
        assert!(is_retryable(&outcome), "{outcome:?}");

        let tls = identified(&certificates, tls);
        let exporter = built(builder(server.http_endpoint()).with_tls(tls));
        assert!(is_delivered(&export(&exporter).await));
        assert!(server.requests()[0].client_certificate);
    }

    #[tokio::test]
    async fn tls_to_a_plain_port_and_the_reverse_are_recognised() {
        let certificates = Certificates::generate().unwrap();
        let plain = Server::start();
        let endpoint = plain.http_endpoint().replace("http://", "https://");
        let outcome = export(&built(builder(endpoint).with_tls(trusting(&certificates)))).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert!(message(&outcome).contains("use http://"), "{outcome:?}");

        let secure = Server::builder().with_tls(&certificates).start().unwrap();
        let endpoint = secure.http_endpoint().replace("https://", "http://");
        let outcome = export(&exporter(endpoint)).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert!(message(&outcome).contains("or https"), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_server_that_never_shakes_hands_ends_at_the_deadline() {
        let silent = RawServer::start(RawAnswer::Silent);
        let certificates = Certificates::generate().unwrap();
        let exporter = built(builder(silent.endpoint("https")).with_tls(trusting(&certificates)));
        let deadline = Deadline::after(Instant::now(), Duration::from_millis(300));
        let outcome = exporter.export(payload(&["one"]), deadline).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    }

    #[test]
    fn pem_that_cannot_be_used_is_named_when_the_exporter_is_built() {
        let certificates = Certificates::generate().unwrap();
        let refused = |tls| {
            let error = builder("https://localhost").with_tls(tls).build_with(&Env::empty());
            error.unwrap_err().to_string()
        };
        let text = refused(TlsConfig::new().with_ca(Pem::from_path("/no/such/ca.pem")));
        assert!(text.contains("/no/such/ca.pem") && text.contains("No such file"), "{text}");
        let text = refused(TlsConfig::new().with_ca(Pem::from_bytes("s3cr3t")));
        assert!(text.contains("CA certificate") && !text.contains("s3cr3t"), "{text}");
        let text = refused(TlsConfig::new().with_client_identity(
            Pem::from_bytes(certificates.client_certificate_pem()),
            Pem::from_bytes("-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----\n"),
        ));
        assert!(text.contains("private key") && !text.contains("s3cr3t"), "{text}");
        let text = refused(TlsConfig::new().with_client_identity(
            Pem::from_bytes(certificates.client_certificate_pem()),
            Pem::from_bytes(certificates.ca_pem()),
        ));
        assert!(text.contains("client key") && text.contains("no PEM private key"), "{text}");
    }

    #[test]
    fn pem_text_in_place_of_a_path_is_not_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----";
        let one_line = key.replace('\n', " ");
        for infix in ["", "TRACES_"] {
            let name = |setting: &str| format!("OTEL_EXPORTER_OTLP_{infix}{setting}");
            let identity = |cert: &str, key: &str| {
                vec![
                    (name("CLIENT_CERTIFICATE"), cert.to_owned()),
                    (name("CLIENT_KEY"), key.to_owned()),
                ]
            };
            let folder = tempdir();
            let cert = folder.join("client.pem");
            let certificates = Certificates::generate().unwrap();
            std::fs::write(&cert, certificates.client_certificate_pem()).unwrap();
            for variables in [
                vec![(name("CERTIFICATE"), key.to_owned())],
                identity(key, key),
                identity(cert.to_str().unwrap(), key),
                identity(cert.to_str().unwrap(), &one_line),
                identity(cert.to_str().unwrap(), &"s3cr3t".repeat(1000)),
            ] {
                let error = builder("https://localhost").build_with(&Env::from_pairs(variables));
                let error = error.unwrap_err();
                let mut text = format!("{error} {error:?} {}", error.setting());
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    text.push_str(&format!(" {error} {error:?}"));
                    cause = error.source();
                }
                assert!(text.contains("***") && text.contains("the path of a PEM file"), "{text}");
                assert!(!text.contains("s3cr3t") && !text.contains("BEGIN"), "{text}");
            }
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn pem_that_cannot_be_read_is_not_quoted() {
        // The library's reason would quote the whole line.
        let line = "-----BEGIN PRIVATE KEY-- s3cr3t\n";
        let tls = TlsConfig::new().with_ca(Pem::from_bytes(line));
        let error = builder("https://localhost").with_tls(tls).build_with(&Env::empty());
        let text = format!("{:?}", error.unwrap_err());
        assert!(text.contains("not valid PEM") || text.contains("no PEM certificate"), "{text}");
        // As text, and as the numbers of its bytes.
        assert!(!text.contains("s3cr3t") && !text.contains("115, 51, 99"), "{text}");
    }

    /// A new empty folder.
    fn tempdir() -> std::path::PathBuf {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("otlp-exporter-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }
}
