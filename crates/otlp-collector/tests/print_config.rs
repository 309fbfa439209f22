//! What is printed of a configuration reads as what was printed, and has no secret in it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use otlp_collector::config::{Config, Secrets, Source};
use proptest::prelude::*;

const YAML: &str = r#"
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "0.0.0.0:4317"}
      http:
processors:
  attributes:
    actions:
      - {key: password, action: delete}
      - key: "a: b"
        value: "multi\nline # no comment"
        action: insert
exporters:
  otlp:
    endpoint: https://ann:hunter2@backend:4317/x@y
    headers: {x-api: sesame1, authorization: Bearer sesame2}
    tls: {key_file: /etc/key.pem, key_pem: sesame3}
  nop:
extensions:
  bearertokenauth: {token: sesame4, filename: /run/token}
  basicauth:
    htpasswd: {inline: "ann:sesame5"}
    client_auth: {username: ann, password: sesame6}
service:
  extensions: [bearertokenauth, basicauth]
  telemetry:
    metrics:
      readers:
        - periodic: {exporter: {otlp: {headers: [{name: x-api, value: sesame7}]}}}
  pipelines:
    traces: {receivers: [otlp], processors: [attributes], exporters: [otlp, nop]}
"#;

fn load(yaml: &str) -> Config {
    let loaded = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None);
    loaded.unwrap()
}

#[test]
fn secrets_are_hidden_and_everything_else_is_there() {
    let printed = load(YAML).to_yaml(Secrets::Hidden);
    assert!(!printed.contains("sesame") && !printed.contains("hunter2"), "{printed}");
    for there in [
        "endpoint: \"0.0.0.0:4317\"",
        "http: null",
        "https://[REDACTED]@backend:4317/x@y",
        "key_file: /etc/key.pem",
        "filename: /run/token",
        "name: x-api",
        "-   key: password",
    ] {
        assert!(printed.contains(there), "{there}: {printed}");
    }
    // It is a configuration still.
    load(&printed);
}

#[test]
fn what_is_shown_reads_as_the_same_again() {
    let printed = load(YAML).to_yaml(Secrets::Shown);
    assert!(printed.contains("sesame7") && printed.contains("hunter2"), "{printed}");
    assert_eq!(load(&printed).to_yaml(Secrets::Shown), printed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back(text in any::<String>(), key in "[a-z][a-z_]{0,8}|[ -~]{1,12}") {
        let quoted = serde_json::Value::from(text.as_str());
        let key = serde_json::Value::from(key.as_str());
        let yaml = format!(
            "receivers: {{otlp: {{{key}: {quoted}, n: [1, {quoted}, {{a: {quoted}}}]}}}}\nexporters: {{nop: }}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}"
        );
        // Text that a reference or a character makes unreadable is no matter of printing.
        if let Ok(config) = Config::load_with(&[Source::Yaml(yaml)], &|_| None) {
            let printed = config.to_yaml(Secrets::Shown);
            prop_assert_eq!(load(&printed).to_yaml(Secrets::Shown), printed);
        }
    }
}
