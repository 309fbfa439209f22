use otlp_core::Signal;

use crate::config::{Config, Source};
use crate::edit::{AttributesSettings, FilterSettings, Plan, ResourceSettings};

/// The settings of a processor that are written so.
fn read<T: serde::de::DeserializeOwned>(settings: &str) -> Result<T, String> {
    let settings = settings.trim().replace('\n', "\n    ");
    let yaml = format!(
        "processors:\n  it:\n    {settings}\nreceivers: {{a: }}\nexporters: {{b: }}\n\
         service: {{pipelines: {{traces: {{receivers: [a], processors: [it], exporters: [b]}}}}}}\n"
    );
    let config = Config::load(&[Source::Yaml(yaml)]).map_err(|error| error.to_string())?;
    let read = config.settings.processors.first().unwrap().settings.read();
    read.map_err(|error: crate::config::ConfigError| {
        format!("{}: {}", error.path(), error.message())
    })
}

fn attributes(settings: &str, signal: Signal) -> Result<Plan, String> {
    let settings: AttributesSettings = read(settings)?;
    Plan::attributes(&settings, signal).map_err(|error| error.to_string())
}

fn filter(settings: &str, signal: Signal) -> Result<Plan, String> {
    read(settings).map(|settings: FilterSettings| Plan::filter(&settings, signal))
}

fn action(action: &str) -> Result<Plan, String> {
    attributes(&format!("actions: [{action}]"), Signal::Traces)
}

#[test]
fn every_action_is_read() {
    let settings = "
actions:
  - {key: a, value: 1, action: insert}
  - {key: b, from_attribute: a, default_value: [x, 1.5], action: UPDATE}
  - {key: c, value: {k: v}, action: upsert}
  - {key: d, pattern: ^secret, action: delete}
  - {pattern: ^card, action: hash}
  - {key: url, pattern: '^(?P<scheme>.*)://(?P<host>.*)$', action: extract}
  - {key: e, action: convert, converted_type: int}";
    let plan = attributes(settings, Signal::Logs).unwrap();
    assert!(!plan.is_empty() && plan.signal() == Signal::Logs);
    let settings: ResourceSettings =
        read("attributes: [{key: a, value: b, action: upsert}]").unwrap();
    assert!(!Plan::resource(&settings, Signal::Metrics).unwrap().is_empty());
}

#[test]
fn what_is_wrong_with_an_action_is_named_with_its_place() {
    let cases = [
        ("{key: a, value: 1}", "actions::0: the key \"action\" is missing"),
        (
            "{key: a, action: replace}",
            "actions::0::action: \"replace\" is not an action; accepted: insert",
        ),
        (
            "{value: 1, action: insert}",
            "actions::0: the key \"key\" is missing, which the action \"insert\"",
        ),
        ("{key: a, action: insert}", "the key \"value\" or \"from_attribute\" is missing"),
        ("{key: a, value: 1, from_attribute: b, action: insert}", "exclude each other"),
        ("{key: a, value: 1, pattern: b, action: upsert}", "\"upsert\" takes no \"pattern\""),
        ("{key: a, value: 1, action: delete}", "\"delete\" takes no \"value\""),
        ("{action: hash}", "the key \"key\" or \"pattern\" is missing"),
        ("{key: a, action: extract}", "the key \"pattern\" is missing"),
        ("{key: a, pattern: '(.*)', action: extract}", "must have groups, all with names"),
        ("{key: a, pattern: 'a(', action: delete}", "actions::0::pattern: \"a(\" is not a regular"),
        ("{key: a, action: convert}", "the key \"converted_type\" is missing"),
        ("{key: a, action: convert, converted_type: bool}", "unknown value \"bool\""),
        ("{key: a, action: upsert, from_context: b}", "\"from_context\" is not supported"),
        ("{key: a, valeu: 1, action: insert}", "unknown key \"valeu\"; did you mean \"value\"?"),
    ];
    for (text, expected) in cases {
        let error = action(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(attributes("actions: []", Signal::Traces).unwrap_err().starts_with("actions: "));
}

#[test]
fn criteria_are_read_for_the_signals_that_have_them() {
    let matching =
        |text: &str| format!("include: {{{text}}}\nactions: [{{key: a, action: delete}}]");
    let of = |text: &str| {
        [Signal::Traces, Signal::Metrics, Signal::Logs]
            .map(|signal| attributes(&matching(text), signal).is_ok())
    };
    let cases = [
        ("match_type: strict, services: [a]", [true, true, true]),
        ("match_type: regexp, span_names: ['^a']", [true, false, false]),
        ("match_type: strict, span_kinds: [SPAN_KIND_SERVER]", [true, false, false]),
        ("match_type: strict, status_codes: [STATUS_CODE_ERROR]", [true, false, false]),
        ("match_type: strict, metric_names: [a]", [false, true, false]),
        ("match_type: strict, log_bodies: [a]", [false, false, true]),
        ("log_severity_number: {min: 9, match_undefined: true}", [false, false, true]),
        ("attributes: [{key: a}]", [true, true, true]),
        ("match_type: strict, resources: [{key: a, value: 1}]", [true, true, true]),
        ("match_type: strict, libraries: [{name: a, version: b}]", [true, true, true]),
        ("match_type: regexp, regexp: {cacheenabled: true}", [false, false, false]),
    ];
    for (text, expected) in cases {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_criteria_is_named() {
    let cases = [
        ("services: [a]", "include: the key \"match_type\" is missing, which \"services\" needs"),
        ("match_type: glob, services: [a]", "unknown value \"glob\""),
        ("match_type: regexp, services: ['(']", "services: \"(\" is not a regular expression"),
        ("match_type: strict, span_kinds: [server]", "span_kinds: unknown value \"server\""),
        ("match_type: regexp, attributes: [{key: a, value: 1}]", "must be a text"),
        ("match_type: strict, attributes: [{value: 1}]", "the key \"key\" is missing"),
        (
            "match_type: strict, log_bodies: [a]",
            "include: \"log_bodies\" is nothing that traces have",
        ),
        ("match_type: strict", "include: nothing is given"),
    ];
    for (text, expected) in cases {
        let text = format!("include: {{{text}}}\nactions: [{{key: a, action: delete}}]");
        let error = attributes(&text, Signal::Traces).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn each_signal_has_its_section_in_a_filter() {
    let settings = "
error_mode: ignore
spans:
  include: {match_type: strict, services: [a]}
logs:
  exclude: {match_type: regexp, bodies: ['^x'], severity_number: {min: info2}, record_attributes: [{key: a}]}
metrics:
  include: {match_type: strict, metric_names: [a]}
  exclude: {match_type: strict, resource_attributes: [{key: a, value: b}]}";
    for (signal, rules) in [(Signal::Traces, 1), (Signal::Logs, 1), (Signal::Metrics, 2)] {
        assert_eq!(filter(settings, signal).unwrap().rules().len(), rules, "{signal}");
    }
    let only_spans = "spans: {include: {match_type: strict, services: [a]}}";
    assert!(filter(only_spans, Signal::Logs).unwrap().is_empty());
    assert!(filter("logs: {include: {match_type: strict}}", Signal::Logs).unwrap().is_empty());
}

#[test]
fn conditions_of_other_languages_are_refused_with_what_to_use() {
    let cases = [
        (
            "traces: {span: ['name == \"a\"']}",
            "traces: conditions in OTTL are not supported; use \"include\"",
        ),
        ("logs: {log_record: ['true']}", "logs::log_record: conditions in OTTL"),
        ("metrics: {datapoint: ['true']}", "metrics::datapoint: conditions in OTTL"),
        ("trace_conditions: ['true']", "trace_conditions: conditions in OTTL"),
        (
            "metrics: {include: {match_type: expr, expressions: ['true']}}",
            "expressions are not supported",
        ),
        (
            "logs: {include: {severity_number: {min: loud}}}",
            "\"loud\" is not a severity; accepted: TRACE",
        ),
        ("spans: {include: {match_type: strict, metric_names: [a]}}", "nothing that traces have"),
    ];
    for (text, expected) in cases {
        let error = filter(text, Signal::Traces).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn severities_have_names_and_numbers() {
    for (text, number) in [("trace", 1), ("INFO", 9), ("Warn4", 16), ("24", 24), ("\"\"", 0)] {
        let text = format!("logs: {{include: {{severity_number: {{min: {text}}}}}}}");
        let plan = filter(&text, Signal::Logs).unwrap();
        let include = plan.rules()[0].selector.include.as_ref().unwrap();
        assert_eq!(include.severity.unwrap().min, number, "{text}");
    }
}
