use std::time::Duration;

use super::*;
use crate::export::env::Env;
use crate::export::tls::{Pem, PemSource};

const GENERIC: &str = "OTEL_EXPORTER_OTLP_";

fn builder() -> ExporterConfigBuilder {
    ExporterConfig::builder(Signal::Traces)
}

fn env(pairs: &[(&str, &str)]) -> Env {
    Env::from_pairs(pairs.iter().map(|(name, value)| (format!("{GENERIC}{name}"), *value)))
}

fn with_env(pairs: &[(&str, &str)]) -> Configured {
    builder().build(&env(pairs)).unwrap()
}

fn quiet(configured: Configured) -> ExporterConfig {
    assert_eq!(configured.warnings, []);
    configured.config
}

fn texts(configured: &Configured) -> Vec<String> {
    configured.warnings.iter().map(ToString::to_string).collect()
}

fn path(pem: Option<&Pem>) -> Option<&str> {
    match pem?.source() {
        PemSource::Path(path) => path.to_str(),
        PemSource::Bytes(_) => None,
    }
}

#[test]
fn without_settings_the_defaults_of_the_specification_hold() {
    let config = quiet(builder().build(&Env::empty()).unwrap());
    assert_eq!(config.protocol, Protocol::HttpProtobuf);
    assert_eq!(config.endpoint.url(), "http://localhost:4318/v1/traces");
    assert!(config.headers.is_empty() && config.header_provider.is_none());
    assert_eq!(config.timeout, Some(Duration::from_secs(10)));
    assert_eq!(config.compression, Compression::None);
    assert!(config.tls.is_empty());
    // Z1, Z2
    assert_eq!((config.max_request_size, config.max_response_size), (67_108_864, 4_194_304));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(config.user_agent, format!("OTel-OTLP-Exporter-Rust/{version} (otlp-rs)"));
    let grpc = builder().with_protocol(Protocol::Grpc).build(&Env::empty()).unwrap();
    assert_eq!(quiet(grpc).endpoint.origin(), "http://localhost:4317");
}

#[test]
fn the_endpoint_table_holds_for_variables() {
    // Conformance 1.8, each row.
    for (name, value, url, port) in [
        ("ENDPOINT", "http://c:4318", "http://c:4318/v1/traces", 4318),
        ("ENDPOINT", "http://c:4318/base/", "http://c:4318/base/v1/traces", 4318),
        ("ENDPOINT", "http://c:4318/base", "http://c:4318/base/v1/traces", 4318),
        ("TRACES_ENDPOINT", "http://c:4318", "http://c:4318/", 4318),
        ("TRACES_ENDPOINT", "https://x/v1/traces/", "https://x/v1/traces/", 443),
        ("ENDPOINT", "http://c", "http://c/v1/traces", 80),
        ("ENDPOINT", "https://c", "https://c/v1/traces", 443),
        ("TRACES_ENDPOINT", "", "http://localhost:4318/v1/traces", 4318),
    ] {
        let Configured { config, warnings } = with_env(&[(name, value)]);
        assert_eq!((config.endpoint.url(), config.endpoint.port()), (url, port), "{name}={value}");
        assert_eq!(warnings.len(), usize::from(url.ends_with("4318/")), "{warnings:?}");
    }
}

#[test]
fn a_base_url_in_code_is_extended_and_an_exact_one_is_not() {
    let build = |b: ExporterConfigBuilder| quiet(b.build(&Env::empty()).unwrap()).endpoint;
    let base = build(builder().with_endpoint("https://c/base"));
    assert_eq!(base.url(), "https://c/base/v1/traces");
    let exact = build(builder().with_endpoint("https://c").with_exact_url("https://x"));
    assert_eq!(exact.url(), "https://x/");
    let last = build(builder().with_exact_url("https://x").with_endpoint("https://c"));
    assert_eq!(last.url(), "https://c/v1/traces");
}

#[test]
fn each_setting_goes_code_then_signal_then_generic_and_empty_hides_nothing() {
    fn check<T: PartialEq + std::fmt::Debug>(
        name: &str,
        [generic, own]: [&str; 2],
        code: impl Fn(ExporterConfigBuilder) -> ExporterConfigBuilder,
        read: impl Fn(&ExporterConfig) -> T,
        [default, from_generic, from_own, from_code]: [T; 4],
    ) {
        let own_name = &format!("TRACES_{name}")[..];
        let other_name = &format!("LOGS_{name}")[..];
        let base = [("PROTOCOL", if name == "INSECURE" { "grpc" } else { "" })];
        let target = [(
            "ENDPOINT",
            match name {
                "INSECURE" => "c:4317",
                "CERTIFICATE" | "CLIENT_CERTIFICATE" | "CLIENT_KEY" => "https://c",
                _ => "",
            },
        )];
        let pairs: &[(&str, &str)] = match name {
            "CLIENT_CERTIFICATE" => &[("CLIENT_KEY", "key.pem")],
            "CLIENT_KEY" => &[("CLIENT_CERTIFICATE", "cert.pem")],
            _ => &[],
        };
        let pairs = if name == "ENDPOINT" { vec![] } else { [&base, &target, pairs].concat() };
        let build = |b: ExporterConfigBuilder, set: &[(&str, &str)]| {
            read(&quiet(b.build(&env(&[&pairs[..], set].concat())).unwrap()))
        };
        let expect_default = !name.starts_with("CLIENT");
        if expect_default {
            assert_eq!(build(builder(), &[(other_name, own)]), default, "{name} of others");
        }
        assert_eq!(build(builder(), &[(name, generic)]), from_generic, "{name} generic");
        assert_eq!(build(builder(), &[(name, generic), (own_name, own)]), from_own, "{name} own");
        assert_eq!(
            build(builder(), &[(name, generic), (own_name, "")]),
            from_generic,
            "{name} empty"
        );
        assert_eq!(
            build(code(builder()), &[(name, generic), (own_name, own)]),
            from_code,
            "{name} code",
        );
    }

    check(
        "PROTOCOL",
        ["GRPC", "http/JSON"],
        |b| b.with_protocol(Protocol::HttpProtobuf),
        |c| c.protocol,
        [Protocol::HttpProtobuf, Protocol::Grpc, Protocol::HttpJson, Protocol::HttpProtobuf],
    );
    check(
        "ENDPOINT",
        ["http://g", "http://o/own"],
        |b| b.with_endpoint("http://code"),
        |c| c.endpoint.url().to_owned(),
        [
            "http://localhost:4318/v1/traces",
            "http://g/v1/traces",
            "http://o/own",
            "http://code/v1/traces",
        ]
        .map(str::to_owned),
    );
    check(
        "INSECURE",
        ["true", "false"],
        |b| b.with_insecure(true),
        |c| c.endpoint.is_tls(),
        [true, false, true, false],
    );
    check(
        "TIMEOUT",
        ["1", "2"],
        |b| b.with_timeout(Duration::from_millis(3)),
        |c| c.timeout.unwrap().as_millis(),
        [10_000, 1, 2, 3],
    );
    check(
        "COMPRESSION",
        ["Gzip", "ZSTD"],
        |b| b.with_compression(Compression::None),
        |c| c.compression,
        [Compression::None, Compression::gzip(), Compression::zstd(), Compression::None],
    );
    check(
        "HEADERS",
        ["a=g", "a=o"],
        |b| b.with_header("A", "code"),
        |c| c.headers.get("a").map(|v| v.expose().to_owned()),
        [None, Some("g"), Some("o"), Some("code")].map(|v| v.map(str::to_owned)),
    );
    let read_ca = |c: &ExporterConfig| path(c.tls.ca.as_ref()).map(str::to_owned);
    check(
        "CERTIFICATE",
        ["g", "o"],
        |b| b.with_tls(TlsConfig::new().with_ca(Pem::from_path("code"))),
        read_ca,
        [None, Some("g"), Some("o"), Some("code")].map(|v| v.map(str::to_owned)),
    );
    let identity = |b: ExporterConfigBuilder| {
        let (cert, key) = (Pem::from_path("code"), Pem::from_path("code"));
        b.with_tls(TlsConfig::new().with_client_identity(cert, key))
    };
    let paths = || [None, Some("g"), Some("o"), Some("code")].map(|v| v.map(str::to_owned));
    check(
        "CLIENT_CERTIFICATE",
        ["g", "o"],
        identity,
        |c| path(c.tls.client_cert.as_ref()).map(str::to_owned),
        paths(),
    );
    check(
        "CLIENT_KEY",
        ["g", "o"],
        identity,
        |c| path(c.tls.client_key.as_ref()).map(str::to_owned),
        paths(),
    );
}

#[test]
fn the_other_signals_have_variables_of_their_own() {
    for (signal, infix, url) in [
        (Signal::Metrics, "METRICS", "http://localhost:4318/v1/metrics"),
        (Signal::Logs, "LOGS", "http://localhost:4318/v1/logs"),
    ] {
        let env = env(&[(&format!("{infix}_TIMEOUT"), "7"), ("TRACES_TIMEOUT", "8")]);
        let config = quiet(ExporterConfig::builder(signal).build(&env).unwrap());
        assert_eq!(config.timeout, Some(Duration::from_millis(7)));
        assert_eq!((config.signal, config.endpoint.url()), (signal, url));
        assert_eq!(env.unused(), ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"]);
    }
}

#[test]
fn zero_means_no_time_limit() {
    assert_eq!(quiet(with_env(&[("TIMEOUT", "0")])).timeout, None);
    let code = builder().with_timeout(Duration::ZERO).build(&Env::empty());
    assert_eq!(quiet(code.unwrap()).timeout, None);
}

#[test]
fn bad_values_in_variables_warn_and_the_next_source_counts() {
    for (name, value, problem, accepted, default) in [
        (
            "TIMEOUT",
            "10s",
            "is not a whole number",
            "a whole number of milliseconds, 0 or more",
            "10000 ms",
        ),
        (
            "TIMEOUT",
            "-5",
            "is out of range",
            "a whole number of milliseconds, 0 or more",
            "10000 ms",
        ),
        ("PROTOCOL", "http", "is not known", "grpc, http/protobuf, http/json", "http/protobuf"),
        ("COMPRESSION", "br", "is not known", "none, gzip, zstd", "none"),
    ] {
        for prefix in ["", "TRACES_"] {
            let name = format!("{prefix}{name}");
            let configured = with_env(&[(&name, value)]);
            let expected = format!(
                "{GENERIC}{name}=\"{value}\" {problem}; accepted: {accepted}; using {default}"
            );
            assert_eq!(texts(&configured), [expected]);
            let defaults = quiet(builder().build(&Env::empty()).unwrap());
            assert_eq!(format!("{:?}", configured.config), format!("{defaults:?}"));
        }
    }
    let configured = with_env(&[("TRACES_TIMEOUT", "x"), ("TIMEOUT", "20")]);
    assert_eq!(configured.config.timeout, Some(Duration::from_millis(20)));
    assert!(texts(&configured)[0].ends_with("using OTEL_EXPORTER_OTLP_TIMEOUT"));
    let configured = with_env(&[("PROTOCOL", "grpc"), ("ENDPOINT", "c:1"), ("INSECURE", "yes")]);
    assert!(configured.config.endpoint.is_tls());
    assert!(texts(&configured)[0].contains("INSECURE=\"yes\" is not a boolean"));
}

#[test]
fn the_environment_chooses_among_the_protocols_that_the_exporter_speaks() {
    let http = || builder().with_protocols(&[Protocol::HttpProtobuf, Protocol::HttpJson]);
    let protocol = |configured: Configured| quiet(configured).protocol;
    let json = env(&[("PROTOCOL", "http/json")]);
    assert_eq!(protocol(http().build(&json).unwrap()), Protocol::HttpJson);
    assert_eq!(protocol(http().build(&Env::empty()).unwrap()), Protocol::HttpProtobuf);
    let configured = builder().with_protocols(&[Protocol::Grpc]).build(&json).unwrap();
    assert_eq!(configured.config.protocol, Protocol::Grpc);
    assert_eq!(
        texts(&configured),
        [
            "OTEL_EXPORTER_OTLP_PROTOCOL=\"http/json\" is not spoken by the exporter that the program has \
          chosen; accepted: grpc; using grpc"
        ]
    );
    // What code says is not for the environment to change, and is no affair of this list's.
    let code = http().with_protocol(Protocol::Grpc).build(&json).unwrap();
    assert_eq!(protocol(code), Protocol::Grpc);
}

#[test]
fn an_endpoint_that_cannot_be_used_is_an_error_wherever_it_comes_from() {
    for (configured, expected) in [
        (
            builder().build(&env(&[("ENDPOINT", "localhost:4318")])),
            "OTEL_EXPORTER_OTLP_ENDPOINT=\"localhost:4318\" has no scheme; accepted: ",
        ),
        (
            builder().build(&env(&[("TRACES_ENDPOINT", "ftp://c"), ("ENDPOINT", "http://c")])),
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=\"ftp://c\" has a scheme that is not supported; ",
        ),
        (
            builder().with_endpoint("http://c:x").build(&Env::empty()),
            "with_endpoint=\"http://c:x\" has a port that is not a number from 1 to 65535; ",
        ),
        (
            builder().with_protocol(Protocol::Grpc).with_exact_url("unix:/s").build(&Env::empty()),
            "with_exact_url=\"unix:/s\" is a form that is not supported; accepted: http://host",
        ),
    ] {
        let error = configured.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.accepted().is_empty() && expected.contains(error.problem()));
        assert!(expected.starts_with(error.setting()));
    }
}

#[test]
fn bad_values_in_code_are_errors_that_name_the_method() {
    for (wrong, setting) in [
        (builder().with_max_request_size(0), "with_max_request_size"),
        (builder().with_max_response_size(0), "with_max_response_size"),
        (builder().with_user_agent_prefix("a\nb"), "with_user_agent_prefix"),
        (builder().with_user_agent_prefix("é"), "with_user_agent_prefix"),
        (builder().with_header("a b", "S3CR3T"), "with_header"),
        (builder().with_header("a", "S3CR3T\n"), "with_header"),
    ] {
        let error = wrong.build(&Env::empty()).unwrap_err();
        assert_eq!(error.setting(), setting);
        assert!(!error.to_string().contains("S3CR3T") && !error.to_string().contains('\n'));
    }
    let error = builder().with_max_request_size(0).build(&Env::empty()).unwrap_err();
    assert_eq!(error.to_string(), "with_max_request_size=\"0\" is too small; accepted: 1 or more");
}

#[test]
fn headers_from_code_win_by_name_and_the_signal_replaces_the_generic_list() {
    let pairs = |configured: &Configured| {
        let list = configured.config.headers.iter();
        list.map(|(name, value)| format!("{name}={}", value.expose())).collect::<Vec<_>>()
    };
    let env = env(&[("HEADERS", "a=1,b=2"), ("TRACES_HEADERS", "b=3,c=4")]);
    let configured = builder()
        .with_header("C", "5")
        .with_headers(&Headers::parse("d=6").unwrap())
        .build(&env)
        .unwrap();
    assert_eq!(pairs(&configured), ["b=3", "c=5", "d=6"]);
}

#[test]
fn reserved_and_broken_headers_are_skipped_with_a_warning() {
    let env = env(&[("HEADERS", "content-type=S3CR3T,a=1,S3CR3T")]);
    let configured = builder().with_header("Host", "S3CR3T").build(&env).unwrap();
    assert_eq!(
        texts(&configured),
        [
            "OTEL_EXPORTER_OTLP_HEADERS=\"***\" cannot be used in part: header \"content-type\" is \
         set by the exporter and cannot be overridden; accepted: headers that the exporter does \
         not set itself; using the others, if there are any",
            "OTEL_EXPORTER_OTLP_HEADERS=\"***\" cannot be used in part: member 3 of the list has no \
         \"=\" after the header name; accepted: name=value,name=value with percent-encoded \
         values; using the others, if there are any",
            "with_header cannot be used in part: header \"host\" is set by the exporter and cannot be \
         overridden; accepted: headers that the exporter does not set itself; using the \
         others, if there are any",
        ]
    );
    assert_eq!(configured.config.headers.len(), 1);
}

#[test]
fn credentials_in_the_url_become_a_header_unless_there_is_one() {
    let url = [("ENDPOINT", "https://Aladdin:open%20sesame@c")];
    let config = quiet(with_env(&url));
    let header = config.headers.get("authorization").unwrap();
    assert_eq!(header.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let config = quiet(with_env(&[url[0], ("HEADERS", "authorization=mine")]));
    assert_eq!(config.headers.get("authorization").unwrap().expose(), "mine");
}

#[test]
fn a_client_certificate_and_its_key_come_from_one_side_and_together() {
    let https = ("ENDPOINT", "https://c");
    for (name, problem) in [
        ("TRACES_CLIENT_CERTIFICATE", "has a client certificate without its key"),
        ("CLIENT_KEY", "has a client key without its certificate"),
    ] {
        let error = builder().build(&env(&[https, (name, "x.pem")])).unwrap_err();
        assert_eq!((error.setting(), error.problem()), (&*format!("{GENERIC}{name}"), problem));
    }
    let mut half = TlsConfig::new();
    half.client_key = Some(Pem::from_bytes("S3CR3T"));
    let env = env(&[https, ("CLIENT_CERTIFICATE", "x"), ("CLIENT_KEY", "y")]);
    let error = builder().with_tls(half).build(&env).unwrap_err();
    assert_eq!(error.setting(), "with_tls");
}

#[test]
fn settings_that_hardly_anybody_means_are_pointed_out() {
    for (pairs, expected) in [
        (
            &[("PROTOCOL", "grpc"), ("ENDPOINT", "http://c:4317/v1/traces")][..],
            "ENDPOINT has a path, which gRPC ignores; ",
        ),
        (
            &[("PROTOCOL", "grpc"), ("ENDPOINT", "http://c:4318")],
            "ENDPOINT has the port of OTLP over HTTP, but the protocol is grpc; ",
        ),
        (
            &[("TRACES_ENDPOINT", "http://c:4317")],
            "TRACES_ENDPOINT has the port of OTLP over gRPC, but the protocol is HTTP; ",
        ),
        (
            &[("TRACES_ENDPOINT", "http://c:4318")],
            "TRACES_ENDPOINT has no path; requests go to `/`, where OTLP servers do not listen; ",
        ),
        (
            &[("ENDPOINT", "http://c:4318/v1/traces")],
            "ENDPOINT already ends with the path of the signal, which is appended; ",
        ),
        (&[("ENDPOINT", "http://c:4318/v1/logs/")], "ENDPOINT has the path of another signal; "),
        (
            &[("TRACES_ENDPOINT", "http://c:4318/v1/metrics")],
            "TRACES_ENDPOINT has the path of another signal; ",
        ),
        (
            &[("ENDPOINT", "http://c:4318"), ("TRACES_CERTIFICATE", "ca.pem")],
            "TRACES_CERTIFICATE has no effect, since the endpoint is not encrypted; ",
        ),
    ] {
        let found = texts(&with_env(pairs));
        let [warning] = &found[..] else { panic!("{found:?}") };
        assert!(warning.starts_with(&format!("{GENERIC}{expected}")), "{warning}");
    }
}

#[test]
fn insecure_counts_only_without_a_scheme_and_only_for_grpc() {
    let env = env(&[("PROTOCOL", "grpc"), ("ENDPOINT", "https://c:4317"), ("INSECURE", "true")]);
    assert!(quiet(builder().build(&env).unwrap()).endpoint.is_tls());
    // It was not asked for, and the report of unused variables says so.
    assert_eq!(env.unused(), ["OTEL_EXPORTER_OTLP_INSECURE"]);
}

#[test]
fn a_variable_that_code_overrides_is_reported_as_unused() {
    let env = env(&[("COMPRESSION", "gzip"), ("TIMEOUT", "5")]);
    let _ = quiet(builder().with_compression(Compression::zstd()).build(&env).unwrap());
    assert_eq!(env.unused(), ["OTEL_EXPORTER_OTLP_COMPRESSION"]);
}

#[test]
fn a_distribution_stands_before_our_own_user_agent() {
    let configured = builder().with_user_agent_prefix(" acme/2.1 ").build(&Env::empty()).unwrap();
    let user_agent = quiet(configured).user_agent;
    assert!(user_agent.starts_with("acme/2.1 OTel-OTLP-Exporter-Rust/"), "{user_agent}");
}

#[test]
fn no_secret_is_in_any_text_of_a_configuration() {
    let env = env(&[
        ("ENDPOINT", "https://user:S3CR3T@c/base?key=S3CR3T"),
        ("HEADERS", "x-api-key=S3CR3T,broken S3CR3T"),
        ("CLIENT_CERTIFICATE", "cert.pem"),
        ("CLIENT_KEY", "key.pem"),
    ]);
    let build = || {
        builder()
            .with_header("authorization", "S3CR3T")
            .with_exact_url("https://user:S3CR3T@x:4317/?S3CR3T")
            .with_header_provider(HeaderProvider::new(|| async { Ok(Headers::parse("a=S3CR3T")?) }))
            .with_tls(TlsConfig::new().with_ca(Pem::from_bytes("S3CR3T")))
    };
    let configured = build().build(&env).unwrap();
    let all = format!(
        "{:?} {configured:?} {:#?} {} {:?} {env:?}",
        build(),
        configured.config,
        configured.config.endpoint,
        texts(&configured),
    );
    assert!(!all.contains("S3CR3T") && !all.contains("83, 51, 67"), "{all}");
    // The same from the environment alone.
    let configured = builder().build(&env).unwrap();
    let all = format!("{configured:?} {:?}", texts(&configured));
    assert!(!all.contains("S3CR3T") && !configured.warnings.is_empty(), "{all}");
    let bad = Env::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:S3CR3T@c:x?S3CR3T")]);
    let error = builder().build(&bad).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("S3CR3T"), "{error}");
}
