//! TLS and its absence.

use super::*;

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_an_https_endpoint_is_refused_by_name() {
    let error = builder("https://localhost:4317").build_with(&Env::empty()).unwrap_err();
    assert!(error.to_string().contains("feature `tls`"), "{error}");
}

#[cfg(feature = "tls")]
mod with_the_feature {
    use otlp_core::export::{Pem, TlsConfig};
    use otlp_testing::tls::Certificates;
    use otlp_testing::{RawAnswer, RawServer, Server};

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
        let by_name = format!("https://localhost:{}", server.grpc_addr().port());
        for endpoint in [server.grpc_endpoint(), by_name] {
            let exporter = built(builder(endpoint).with_tls(trusting(&certificates)));
            let outcome = export(&exporter).await;
            assert!(is_delivered(&outcome), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn host_and_port_alone_mean_tls() {
        // 1.8, scheme-less endpoints
        let certificates = Certificates::generate().unwrap();
        let server = Server::builder().with_tls(&certificates).start().unwrap();
        let exporter =
            built(builder(server.grpc_addr().to_string()).with_tls(trusting(&certificates)));
        assert!(is_delivered(&export(&exporter).await));
    }

    #[tokio::test]
    async fn a_stranger_is_not_trusted() {
        let (ours, theirs) = (Certificates::generate().unwrap(), Certificates::generate().unwrap());
        let server = Server::builder().with_tls(&theirs).start().unwrap();
        let outcome =
            export(&built(builder(server.grpc_endpoint()).with_tls(trusting(&ours)))).await;
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
        let nameless = built(builder(server.grpc_endpoint()).with_tls(tls.clone()));
        let outcome = export(&nameless).await;
        assert!(is_retryable(&outcome), "{outcome:?}");

        let tls = identified(&certificates, tls);
        let exporter = built(builder(server.grpc_endpoint()).with_tls(tls));
        assert!(is_delivered(&export(&exporter).await));
        assert!(server.requests()[0].client_certificate);
    }

    #[tokio::test]
    async fn tls_to_a_plain_port_and_the_reverse_are_recognised() {
        let certificates = Certificates::generate().unwrap();
        let plain = Server::start();
        let endpoint = plain.grpc_endpoint().replace("http://", "https://");
        let outcome = export(&built(builder(endpoint).with_tls(trusting(&certificates)))).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert!(message(&outcome).contains("use http://"), "{outcome:?}");

        let secure = Server::builder().with_tls(&certificates).start().unwrap();
        let endpoint = secure.grpc_endpoint().replace("https://", "http://");
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
