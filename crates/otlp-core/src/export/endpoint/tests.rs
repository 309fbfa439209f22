use super::*;

#[test]
fn a_base_url_gets_the_path_of_its_signal() {
    // Conformance 1.8, endpoint table.
    for (base, traces) in [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("http://c:4318/base/", "http://c:4318/base/v1/traces"),
        ("http://c:4318/base", "http://c:4318/base/v1/traces"),
        ("http://c:4318/base?key=1", "http://c:4318/base/v1/traces?key=1"),
        ("http://c:4318?key=a/b", "http://c:4318/v1/traces?key=a/b"),
        ("HTTPS://Collector", "https://collector/v1/traces"),
        (" http://c:4318\n", "http://c:4318/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ] {
        assert_eq!(Endpoint::base(base, Signal::Traces).unwrap().url(), traces, "{base}");
    }
    assert_eq!(Endpoint::base("http://c/x", Signal::Logs).unwrap().url(), "http://c/x/v1/logs");
    assert_eq!(Endpoint::base("http://c", Signal::Metrics).unwrap().path(), "/v1/metrics");
}

#[test]
fn an_exact_url_stays_as_it_is() {
    for (url, expected, port) in [
        ("http://c:4318", "http://c:4318/", 4318),
        ("https://x/v1/traces/", "https://x/v1/traces/", 443),
        ("http://x", "http://x/", 80),
        ("http://x?q=1", "http://x/?q=1", 80),
        ("https://x:8443/a%20b/c", "https://x:8443/a%20b/c", 8443),
    ] {
        let endpoint = Endpoint::exact(url).unwrap();
        assert_eq!((endpoint.url(), endpoint.port()), (expected, port), "{url}");
    }
}

#[test]
fn the_parts_of_a_url_are_at_hand() {
    let endpoint = Endpoint::exact("https://[2001:DB8::1]:4318/a/b?c=d").unwrap();
    assert_eq!(endpoint.host(), "2001:db8::1");
    assert_eq!(endpoint.origin(), "https://[2001:db8::1]:4318");
    assert_eq!((endpoint.port(), endpoint.path(), endpoint.is_tls()), (4318, "/a/b", true));
    let endpoint = Endpoint::exact("http://[::1]").unwrap();
    assert_eq!((endpoint.host(), endpoint.port(), endpoint.is_tls()), ("::1", 80, false));
}

#[test]
fn a_scheme_decides_on_tls_and_without_one_insecure_does() {
    for (target, insecure, origin, port) in [
        ("http://c:4317", false, "http://c:4317", 4317),
        ("http://c:4317", true, "http://c:4317", 4317),
        ("https://c:4317", true, "https://c:4317", 4317),
        ("c:4317", false, "https://c:4317", 4317),
        ("c:4317", true, "http://c:4317", 4317),
        ("c", false, "https://c", 443),
        ("c", true, "http://c", 80),
        ("[::1]:4317", true, "http://[::1]:4317", 4317),
        ("127.0.0.1:4317", false, "https://127.0.0.1:4317", 4317),
        ("dns:4317", true, "http://dns:4317", 4317),
        ("https://c:4317/ignored", false, "https://c:4317", 4317),
        ("c:4317/ignored", false, "https://c:4317", 4317),
    ] {
        let endpoint = Endpoint::grpc(target, insecure).unwrap();
        assert_eq!((endpoint.origin(), endpoint.port()), (origin, port), "{target}");
        assert_eq!(endpoint.path(), "/", "{target}");
        assert_eq!(endpoint.is_tls(), origin.starts_with("https"), "{target}");
    }
}

#[test]
fn a_path_in_a_grpc_target_is_noticed() {
    for (target, has_path) in [
        ("http://c:4317", false),
        ("http://c:4317/", false),
        ("http://c:4317/?q=/a", false),
        ("http://c:4317/v1/traces", true),
        ("c:4317", false),
        ("c:4317/a", true),
    ] {
        assert_eq!(Endpoint::has_path(target), has_path, "{target}");
    }
}

#[test]
fn defaults_are_plaintext_on_localhost() {
    for (protocol, signal, url) in [
        (Protocol::HttpProtobuf, Signal::Traces, "http://localhost:4318/v1/traces"),
        (Protocol::HttpJson, Signal::Metrics, "http://localhost:4318/v1/metrics"),
        (Protocol::HttpProtobuf, Signal::Logs, "http://localhost:4318/v1/logs"),
        (Protocol::Grpc, Signal::Traces, "http://localhost:4317/"),
    ] {
        let endpoint = Endpoint::default_for(protocol, signal);
        assert_eq!(endpoint.url(), url);
        assert_eq!((endpoint.host(), endpoint.port()), ("localhost", protocol.default_port()));
        // It is what its own text would give.
        let parsed = Endpoint::exact(url).unwrap();
        assert_eq!((parsed.origin(), parsed.path()), (endpoint.origin(), endpoint.path()));
    }
}

#[test]
fn bad_urls_say_what_is_wrong_and_what_is_accepted() {
    for (url, problem) in [
        ("", "has no scheme"),
        ("localhost:4318", "has no scheme"),
        ("ftp://c", "has a scheme that is not supported"),
        ("http://", "has no host"),
        ("http:///v1/traces", "has no host"),
        ("http://:4318", "has no host"),
        ("http://c:", "has a port that is not a number from 1 to 65535"),
        ("http://c:0", "has a port that is not a number from 1 to 65535"),
        ("http://c:65536", "has a port that is not a number from 1 to 65535"),
        ("http://c:+80", "has a port that is not a number from 1 to 65535"),
        ("http://::1:4318", "has an IPv6 address without brackets, or more than one port"),
        ("http://[::1", "has an IPv6 address without \"]\""),
        ("http://[::x]:1", "has an invalid IPv6 address"),
        ("http://[::1]4318", "has something other than a port after the host"),
        ("http://a b", "has an invalid host"),
        ("http://c/a b", "is not a valid URL"),
    ] {
        let error = Endpoint::exact(url).unwrap_err();
        assert_eq!(error.problem(), problem, "{url}");
        assert_eq!(error.accepted(), "http://host[:port][/path] or https://host[:port][/path]");
        assert_eq!(
            error.to_string(),
            format!("endpoint \"{url}\" {problem}; accepted: {}", error.accepted()),
        );
    }
}

#[test]
fn a_fragment_is_refused_without_being_shown() {
    let error = Endpoint::exact("http://c/#S3CR3T").unwrap_err();
    assert_eq!((error.value(), error.problem()), ("http://c/#***", "has a fragment (#…)"));
}

#[test]
fn other_grpc_targets_are_refused_with_what_is_accepted() {
    for target in [
        "unix:/run/otel.sock",
        "unix:///run/otel.sock",
        "unix-abstract:otel",
        "dns:///c:4317",
        "dns:c:4317",
        "ipv4:127.0.0.1:4317",
        "xds:///c",
        "::1:4317",
        "c:port",
        "",
    ] {
        let error = Endpoint::grpc(target, false).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("endpoint \"{target}\" ")), "{text}");
        assert!(text.contains("accepted: http://host[:port]"), "{text}");
    }
}

#[test]
fn user_and_password_leave_the_url_and_become_basic_auth() {
    // RFC 7617, section 2.
    let endpoint = Endpoint::exact("https://Aladdin:open%20sesame@c:4318/x").unwrap();
    assert_eq!(endpoint.url(), "https://c:4318/x");
    let basic = endpoint.basic_auth().unwrap().expose();
    assert_eq!(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let name_only = Endpoint::grpc("https://token@c", false).unwrap();
    assert_eq!(name_only.basic_auth().unwrap().expose(), "Basic dG9rZW46");
    assert!(Endpoint::exact("http://c").unwrap().basic_auth().is_none());
}

#[test]
fn base64_has_the_vectors_of_its_rfc() {
    // RFC 4648, section 10.
    for (plain, coded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
    assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
}

#[test]
fn secrets_in_a_url_never_print() {
    let endpoint = Endpoint::base("https://user:S3CR3T@c:1/p?key=S3CR3T", Signal::Traces).unwrap();
    assert_eq!(endpoint.to_string(), "https://c:1/p/v1/traces?***");
    assert_eq!(format!("{endpoint:?}"), "Endpoint(https://c:1/p/v1/traces?***)");
    for bad in [
        "ftp://user:S3CR3T@c?key=S3CR3T",
        "http://user:12/S3CR3T@c:1",
        "http://user%3AS3CR3T%40c",
        "http://user:S3CR3T@c:99999/p?key=S3CR3T",
        "http://user:S3C/R3T?S3CR3T#S3CR3T@c:1",
        "https://c/#S3CR3T",
        "user:S3CR3T@c:4317",
        "https://c:port?S3CR3T",
    ] {
        let error = Endpoint::exact(bad).unwrap_err();
        let text = format!("{error} {error:?} {}", error.value());
        assert!(!text.contains("S3C") && text.contains(STARS), "{text}");
    }
    let error = Endpoint::grpc("unix:user:S3CR3T@c", false).unwrap_err().to_string();
    assert!(error.contains("unix") || error.contains(STARS), "{error}");
    assert!(!error.contains("S3CR3T"), "{error}");
}

#[test]
fn a_long_or_hostile_value_is_cut_and_escaped_in_the_error() {
    let error = Endpoint::exact(&format!("ht\u{1b}[31mtp://{}", "x".repeat(5000))).unwrap_err();
    assert!(error.value().len() < 300 && error.value().starts_with("ht\\u{1b}[31mtp://xxx"));
}
