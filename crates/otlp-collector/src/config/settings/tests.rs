use crate::config::{Config, Source};

const WHOLE: &str = "
receivers:
  otlp:
    protocols: {grpc: , http: }
processors:
  batch:
exporters:
  debug:
  otlp/backup:
    endpoint: backup:4317
connectors:
  forward:
extensions:
  health_check:
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [forward]
    traces/out:
      receivers: [forward]
      exporters: [debug, otlp/backup]
";

fn load(text: &str, set: &[&str]) -> Result<Config, String> {
    let mut sources = vec![Source::Yaml(text.to_owned())];
    sources.extend(set.iter().map(|set| Source::Yaml((*set).to_owned())));
    Config::load_with(&sources, &|_| None).map_err(|error| error.to_string())
}

#[test]
fn a_configuration_has_its_components_and_pipelines_in_order() {
    let config = load(WHOLE, &[]).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let settings = config.settings;
    let exporters: Vec<_> = settings.exporters.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(exporters, ["debug", "otlp/backup"]);
    let [first, second] = &settings.service.pipelines[..] else { panic!() };
    assert_eq!(
        (first.id.to_string(), second.id.to_string()),
        ("traces".into(), "traces/out".into())
    );
    assert_eq!(first.processors[0].component_type(), "batch");
    assert_eq!(second.exporters[1].name(), "backup");
    assert!(
        settings.receivers[0].settings.get("protocols").unwrap().get("grpc").unwrap().is_null()
    );
    assert_eq!(settings.service.extensions.len(), 1);
}

#[test]
fn what_does_not_fit_together_is_told_with_its_place() {
    for (over, expected) in [
        ("recievers: {}", "unknown key \"recievers\"; did you mean \"receivers\"?"),
        (
            "service::pipelines::traces::exporters: [debgu]",
            "service::pipelines::traces::exporters: exporter \"debgu\" is not configured; did you mean \"debug\"?",
        ),
        ("service::pipelines::traces::receivers: []", "there is no receiver; one is needed"),
        (
            "service::pipelines::traces::exporters: [debug, debug]",
            "exporter \"debug\" is named twice",
        ),
        (
            "service::pipelines::traces::exporters: [debug]",
            "connector \"forward\" stands as receiver of a pipeline and as exporter of none",
        ),
        ("service::pipelines::trace: {}", "unknown signal \"trace\"; did you mean \"traces\"?"),
        (
            "service::pipelines::traces::exporter: [debug]",
            "unknown key \"exporter\"; did you mean \"exporters\"?",
        ),
        (
            "service::extensions: [zpages]",
            "service::extensions: extension \"zpages\" is not configured; accepted: health_check",
        ),
        ("service::pipelines: 1", "\"service::pipelines"),
        ("service::telemetri: {}", "unknown key \"telemetri\"; did you mean \"telemetry\"?"),
        ("exporters::ot-lp: {}", "\"ot-lp\" is not a valid name"),
        ("exporters: [debug]", "a list is not a mapping"),
    ] {
        let error = load(WHOLE, &[over]).unwrap_err();
        let expected = expected.trim_start_matches('"');
        let fits = error.contains(expected)
            || over.ends_with("1") && error.contains("a single value is not a mapping");
        assert!(fits && error.starts_with("yaml::"), "{over}: {error}");
    }
    assert_eq!(
        load("receivers: {}", &[]).unwrap_err(),
        "configuration:1:1: the key \"service\" is missing"
    );
    assert!(load("service: {}", &[]).unwrap_err().contains("there is no pipeline"));
}

#[test]
fn what_nothing_uses_and_variables_that_are_not_set_are_warned_of() {
    let config =
        load(WHOLE, &["exporters::otlp/spare: {endpoint: '${SPARE}'}", "extensions::zpages: "])
            .unwrap();
    let warnings = config.warnings.join("\n");
    for said in [
        "the variable SPARE is referred to and not set; it counts as empty",
        "exporter \"otlp/spare\" at yaml::1:24 is used by nothing",
        "extension \"zpages\" at yaml::1:1 is used by nothing",
    ] {
        assert!(warnings.contains(said), "{said} in {warnings}");
    }
    assert_eq!(config.warnings.len(), 3);
}

/// Were each name looked for among all, this would take minutes.
#[test]
fn very_many_components_are_checked() {
    let count = 30_000;
    let names = || (0..count).map(|at| format!("debug/{at}"));
    let components: String = names().map(|name| format!("  {name}:\n")).collect();
    let list = names().collect::<Vec<_>>().join(", ");
    let text = format!(
        "receivers: {{otlp: }}\nexporters:\n{components}processors:\n{components}service:\n  pipelines:\n    \
         traces: {{receivers: [otlp], processors: [{list}], exporters: [{list}]}}\n"
    );
    let config = load(&text, &[]).unwrap();
    assert!(config.warnings.is_empty());
    assert_eq!(config.settings.exporters.len(), count);
    let error = load(&text, &["service::pipelines::traces::processors: [none]"]).unwrap_err();
    assert!(error.ends_with(" and 29936 more") && error.len() < 2048, "{error}");
}

#[test]
fn a_long_name_is_not_echoed_whole() {
    let name = "x".repeat(1_000);
    for (text, path) in [
        (format!("{name}: 1"), ""),
        (format!("service::{name}: 1"), "service"),
        (format!("exporters::debug: '${{{name}:x}}'"), "exporters"),
        (format!("exporters::debug: '${{env:{name}-}}'"), "exporters"),
        (format!("exporters: {{{name}: 1, {name}: 2}}"), ""),
    ] {
        let error = load(WHOLE, &[&text]).unwrap_err();
        assert!(error.len() < 512 && error.contains(path), "{error}");
    }
}
