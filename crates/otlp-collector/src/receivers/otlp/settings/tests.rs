use std::time::Duration;

use super::*;
use crate::config::{Config, Source};
use crate::engine::Blueprint;
use crate::registry::Registry;

/// What `validate` says of `receivers::otlp`.
fn blueprint(yaml: &str) -> Result<(), String> {
    let blueprint = Blueprint::new(&config(yaml)?.settings, &Registry::standard());
    blueprint.map(drop).map_err(|error| error.to_string())
}

/// Reads what stands under `receivers::otlp`, written in one line.
fn read(yaml: &str) -> Result<OtlpSettings, String> {
    config(yaml)?.settings.receivers[0].settings.read().map_err(|error| error.to_string())
}

fn config(yaml: &str) -> Result<Config, String> {
    let yaml = format!(
        "receivers: {{otlp: {yaml}}}\nexporters: {{debug: }}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}}}"
    );
    Config::load_with(&[Source::Yaml(yaml)], &|_| None).map_err(|error| error.to_string())
}

#[test]
fn a_protocol_is_served_if_it_is_named() {
    // row G2
    let both = read("{protocols: {grpc: , http: }}").unwrap().protocols;
    assert_eq!(both.grpc.unwrap().endpoint, "localhost:4317");
    assert_eq!(both.http.unwrap().endpoint, "localhost:4318");
    let one = read("{protocols: {http: {endpoint: 'localhost:0'}}}").unwrap().protocols;
    assert!(one.grpc.is_none() && one.http.is_some());
}

#[test]
fn the_limits_are_what_the_protocol_recommends() {
    // Z3, Z4
    let settings = OtlpSettings::both();
    assert_eq!(settings.protocols.grpc.unwrap().max_recv_msg_size(), 64 << 20);
    assert_eq!(settings.protocols.http.unwrap().max_body(), 64 << 20);
    assert_eq!(settings.limits.max_response_size, 4 << 20);
    let zero =
        read("{protocols: {grpc: {max_recv_msg_size_mib: 0}, http: {max_request_body_size: 0}}}");
    let zero = zero.unwrap().protocols;
    assert_eq!(zero.grpc.unwrap().max_recv_msg_size(), 64 << 20);
    assert_eq!(zero.http.unwrap().max_body(), 64 << 20);
}

#[test]
fn the_keys_of_the_go_collector_are_read() {
    let yaml = "{protocols: {
      grpc: {endpoint: '0.0.0.0:4317', transport: tcp4, max_concurrent_streams: 16, read_buffer_size: 1,
        tls: {cert_file: a, key_file: b, client_ca_file: c, min_version: '1.3', reload_interval: 1h},
        keepalive: {server_parameters: {max_connection_idle: 11s, max_connection_age: 12s,
          max_connection_age_grace: 13s, time: 30s, timeout: 5s}, enforcement_policy: {min_time: 10s}},
        auth: {authenticator: basicauth/server}, include_metadata: true},
      http: {endpoint: '127.0.0.1:4318', cors: {allowed_origins: ['*'], allowed_headers: [x], max_age: 7200},
        max_request_body_size: 1024, compression_algorithms: ['', gzip], traces_url_path: /t,
        response_headers: {a: b}, read_timeout: 1s, read_header_timeout: 2s, write_timeout: 3s,
        idle_timeout: 4s, max_connection_age: 20m, max_connection_age_grace: 30s,
        keep_alives_enabled: false}},
      limits: {max_connections: 5, idle_timeout: 6s}}";
    let settings = read(yaml).unwrap();
    let warnings = settings.warnings().join("\n");
    for ignored in
        ["grpc::include_metadata", "grpc::read_buffer_size", "grpc::keepalive::enforcement_policy"]
    {
        assert!(warnings.contains(ignored), "{ignored}: {warnings}");
    }
    assert!(!warnings.contains("may be reached"), "it is authenticated, and HTTP is on loopback");
    let grpc = settings.protocols.grpc.unwrap();
    assert_eq!((grpc.transport, grpc.max_concurrent_streams), (SocketKind::Tcp4, 16));
    assert_eq!(grpc.keepalive.server_parameters.max_connection_age, Duration::from_secs(12));
    let tls = grpc.tls.unwrap();
    assert_eq!(tls.min_version, TlsVersion::V1_3);
    assert_eq!(tls.reload_after(), Some(Duration::from_secs(3600)));
    assert_eq!(grpc.auth.unwrap().authenticator, "basicauth/server");
    let http = settings.protocols.http.unwrap();
    assert_eq!((http.max_body(), http.traces_url_path.as_str()), (1024, "/t"));
    assert_eq!(http.max_connection_age, Duration::from_secs(1200));
    assert_eq!(http.cors.unwrap().max_age, 7200);
    assert_eq!(settings.limits.max_connections, 5);
    assert_eq!(settings.limits.max_connections_per_peer, 256);
}

#[test]
fn a_key_that_would_be_missed_is_an_error_at_its_place() {
    for (yaml, said) in [
        ("{protocols: {grpc: {tls: {cipher_suites: [A]}}}}", "not supported here"),
        ("{protocols: {http: {middlewares: []}}}", "not supported here"),
        ("{protocols: {grpc: {transport: npipe}}}", "npipe"),
        ("{protocols: {grpc: {tls: {min_version: '1.0'}}}}", "1.0"),
        ("{protocols: {grpc: {max_recv_msg_size: 4}}}", "max_recv_msg_size_mib"),
        ("{protocols: {gprc: }}", "did you mean \"grpc\"?"),
        ("{protocols: {http: {idle_timeout: soon}}}", "idle_timeout"),
    ] {
        let error = read(yaml).unwrap_err();
        assert!(error.contains(said) && error.contains(":1:"), "{yaml}: {error}");
    }
}

#[test]
fn tls_without_a_certificate_and_its_key_is_refused_before_the_start_as_in_go() {
    for protocol in ["grpc", "http"] {
        for (tls, said) in [
            ("", "cert_file is missing"),
            ("{}", "cert_file is missing; a server needs a certificate and its key"),
            ("{min_version: '1.2'}", "cert_file is missing"),
            ("{client_ca_file: /nowhere}", "cert_file is missing"),
            ("{cert_file: /nowhere}", "key_file is missing"),
            ("{key_pem: hunter2}", "cert_file is missing"),
            ("{cert_file: a, cert_pem: b, key_file: c}", "one of them is accepted"),
            (
                "{cert_file: a, key_file: b, min_version: '1.3', max_version: '1.2'}",
                "min_version: it is newer than max_version",
            ),
            // Whether files are there is seen at the start, in Go too.
            ("{cert_file: /nowhere, key_file: /nowhere}", ""),
            ("{cert_pem: a, key_file: /nowhere, client_ca_file: /nowhere}", ""),
        ] {
            let checked = blueprint(&format!("{{protocols: {{{protocol}: {{tls: {tls}}}}}}}"));
            let path = format!(": receivers::otlp::protocols::{protocol}::tls: ");
            let path = if said.starts_with("min") { path.replace("tls: ", "tls::") } else { path };
            match checked {
                Ok(()) => assert_eq!(said, "", "{protocol} {tls}"),
                Err(error) => {
                    assert!(!said.is_empty() && error.contains(said), "{protocol} {tls}: {error}");
                    assert!(error.contains(&path) && !error.contains("hunter2"), "{error}");
                }
            }
        }
    }
}

#[test]
fn an_address_that_others_reach_without_a_key_is_warned_of() {
    let file = read("{protocols: {grpc: {transport: unix, endpoint: /run/otlp.sock}}}").unwrap();
    assert!(file.warnings().is_empty());
    for (endpoint, warned) in [
        ("0.0.0.0:4317", true),
        (":4317", true),
        ("[::]:4317", true),
        ("collector.example.com:4317", true),
        ("localhost:4317", false),
        ("127.0.0.9:4317", false),
        ("[::1]:4317", false),
    ] {
        let settings = read(&format!("{{protocols: {{grpc: {{endpoint: '{endpoint}'}}}}}}"));
        assert_eq!(!settings.unwrap().warnings().is_empty(), warned, "{endpoint}");
    }
}
