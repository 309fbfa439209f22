//! Detectors that look at what the tests have put there.

use std::fs;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_core::export::Env;
use otlp_core::{Payload, Signal};
use prost::Message as _;

use super::detect::Surroundings;
use super::*;
use crate::config::{Config, ConfigError, Source};
use crate::edit::Literal;

fn read(text: &str) -> Result<ResourceDetectionSettings, ConfigError> {
    let yaml = format!(
        "receivers: {{otlp: }}\nexporters: {{debug: }}\nprocessors: {{resourcedetection: {text}}}\n\
         service::pipelines::traces: {{receivers: [otlp], processors: [resourcedetection], exporters: [debug]}}"
    );
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None)?;
    let settings: ResourceDetectionSettings = config.settings.processors[0].settings.read()?;
    settings.validate().map(|()| settings)
}

/// A host with a name, a domain and a system.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("proc/sys/kernel/hostname", "web7\n"),
        ("etc/hosts", "127.0.0.1 localhost\n10.0.0.7 web7.example.com web7 # own\n"),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("etc/os-release", "NAME=\"Some Linux\"\nVERSION_ID=12\nPRETTY_NAME='Some Linux 12'\n"),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn detect(settings: &str, env: &str) -> Vec<(String, String)> {
    let root = host();
    let env = Env::from_pairs([("OTEL_RESOURCE_ATTRIBUTES", env)]);
    let found = read(settings).unwrap().detect(&Surroundings::new(env, root.path())).unwrap();
    let text = |value| match value {
        Literal::String(text) => text,
        other => format!("{other:?}"),
    };
    found.into_iter().map(|(key, value)| (key, text(value))).collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn of_what_several_detectors_find_the_first_counts() {
    let found = detect("{detectors: [env, system]}", "host.name=told,a=%3D,b=1,b=2");
    let os = if cfg!(target_os = "linux") { "linux" } else { &found[3].1 };
    let expected = [("host.name", "told"), ("a", "="), ("b", "2"), ("os.type", os)];
    assert_eq!(found, pairs(expected));
    assert_eq!(detect("{}", "a=1"), pairs([("a", "1")]), "the environment alone");
}

#[test]
#[cfg(target_os = "linux")]
fn the_system_is_asked_for_what_is_switched_on() {
    let found = detect("{detectors: [system]}", "");
    assert_eq!(found, pairs([("host.name", "web7.example.com"), ("os.type", "linux")]));
    let text = "{detectors: [system], system: {hostname_sources: [os], resource_attributes: {
        os.type: {enabled: false}, host.id: {enabled: true}, os.name: {enabled: true},
        os.version: {enabled: true}, os.description: {enabled: true}}}}";
    let expected = [
        ("host.name", "web7"),
        ("host.id", "0123456789abcdef0123456789abcdef"),
        ("os.name", "Some Linux"),
        ("os.version", "12"),
        ("os.description", "Some Linux 12"),
    ];
    assert_eq!(detect(text, ""), pairs(expected));
}

#[test]
fn the_process_and_the_architecture_are_those_of_this_test() {
    let found = detect("{detectors: [process], attributes: [process.pid]}", "");
    assert_eq!(found, pairs([("process.pid", &format!("Int({})", std::process::id()))]));
    let text = "{detectors: [system], system: {resource_attributes: {host.arch: {enabled: true}}}}";
    let found = detect(text, "");
    assert!(found.iter().any(|(key, value)| key == "host.arch" && !value.is_empty()), "{found:?}");
}

#[test]
fn a_broken_environment_is_an_error_that_names_it() {
    let env = Env::from_pairs([("OTEL_RESOURCE_ATTRIBUTES", "a=1,b")]);
    let surroundings = Surroundings::new(env, host().path());
    let error = read("{}").unwrap().detect(&surroundings).unwrap_err().to_string();
    assert!(error.starts_with("OTEL_RESOURCE_ATTRIBUTES pair 2 has no `=`"), "{error}");
}

#[test]
fn what_is_found_replaces_what_a_resource_says_or_does_not() {
    let value = |text: &str| AnyValue { value: Some(Value::StringValue(text.to_owned())) };
    let attribute = |key: &str, text: &str| KeyValue {
        key: key.to_owned(),
        value: Some(value(text)),
        ..KeyValue::default()
    };
    let scope = ScopeSpans { spans: vec![Span::default()], ..ScopeSpans::default() };
    let told = Resource { attributes: vec![attribute("a", "told")], ..Resource::default() };
    let spans = |resource| ResourceSpans {
        resource,
        scope_spans: vec![scope.clone()],
        ..ResourceSpans::default()
    };
    let request =
        ExportTraceServiceRequest { resource_spans: vec![spans(Some(told)), spans(None)] };
    let payload = Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap();
    let found =
        [("a", "found"), ("b", "found")].map(|(key, it)| (key.to_owned(), Literal::from(it)));
    for (settings, first) in [("{}", "found"), ("{override: false}", "told")] {
        let edited = read(settings).unwrap().plan(Signal::Traces, &found).apply(&payload).unwrap();
        let bytes = edited.payload.rope().to_bytes();
        let request = ExportTraceServiceRequest::decode(bytes).unwrap();
        let attributes =
            |at: usize| request.resource_spans[at].resource.clone().unwrap().attributes;
        assert_eq!(attributes(0), [attribute("a", first), attribute("b", "found")]);
        assert_eq!(attributes(1), [attribute("a", "found"), attribute("b", "found")]);
    }
    assert!(read("{}").unwrap().plan(Signal::Traces, &[]).is_empty());
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (text, wrong) in [
        ("{detectors: [gcp]}", "gcp"),
        ("{detectors: []}", "detectors"),
        ("{ec2: {}}", "ec2"),
        ("{refresh_interval: 1m}", "refresh_interval"),
        ("{system: {hostname_sources: [lookup]}}", "lookup"),
        ("{system: {resource_attributes: {host.ip: {enabled: true}}}}", "host.ip"),
        ("{system: {resource_attributes: {os.typ: {enabled: true}}}}", "did you mean \"os.type\"?"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(wrong), "{text}: {error}");
    }
    assert!(read("{timeout: 2s, override: false}").is_ok());
}
