use super::super::settings::ResourceSettings;
use super::*;

const COUNT: Instrument =
    Instrument::counter("otelcol_receiver_accepted_spans", "{spans}", "A\\b\nc");
const BYTES: Instrument = Instrument::gauge("otelcol_process_memory_rss", "By", "Memory.");
const SIZES: Instrument = Instrument::histogram("otelcol_batch_size", "{items}", "Sizes.");

fn resource() -> Resource {
    let set = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    Resource::new(&ResourceSettings {
        attributes: vec![
            set("service.instance.id", Some("7")),
            set("service.version", None),
            set("service.name", Some("a\"b\\c\nd")),
        ],
    })
}

fn measured() -> Measurements {
    let mut all = Measurements::default();
    all.within("transport", "grpc", |all| {
        all.within("receiver", "otlp/\"x\"", |all| all.set(&COUNT, 7u64));
    });
    all.set(&BYTES, 1.5e7);
    let counts = vec![1, 0, 2];
    all.set(&SIZES, Value::Histogram { bounds: &[10.0, 25.5], counts, sum: 61.0 });
    all
}

#[test]
fn the_text_is_that_of_the_go_collector_with_its_defaults() {
    let text = text(&measured(), &resource(), &PrometheusSettings::default());
    let expected = r#"# HELP otelcol_batch_size Sizes.
# TYPE otelcol_batch_size histogram
otelcol_batch_size_bucket{le="10"} 1
otelcol_batch_size_bucket{le="25.5"} 1
otelcol_batch_size_bucket{le="+Inf"} 3
otelcol_batch_size_sum 61
otelcol_batch_size_count 3
# HELP otelcol_process_memory_rss Memory.
# TYPE otelcol_process_memory_rss gauge
otelcol_process_memory_rss 15000000
# HELP otelcol_receiver_accepted_spans A\\b\nc
# TYPE otelcol_receiver_accepted_spans counter
otelcol_receiver_accepted_spans{receiver="otlp/\"x\"",transport="grpc"} 7
# HELP target_info Target metadata
# TYPE target_info gauge
target_info{service_instance_id="7",service_name="a\"b\\c\nd"} 1
"#;
    assert_eq!(text, expected);
}

#[test]
fn suffixes_and_labels_of_the_resource_come_where_they_are_asked_for() {
    let how = PrometheusSettings {
        without_units: false,
        without_type_suffix: false,
        with_resource_constant_labels: Some(super::super::settings::IncludeExclude {
            included: vec!["service.*".to_owned()],
            excluded: vec!["service.name".to_owned()],
        }),
        ..PrometheusSettings::default()
    };
    let text = text(&measured(), &resource(), &how);
    assert!(
        text.contains("\notelcol_process_memory_rss_bytes{service_instance_id=\"7\"} 15000000\n")
    );
    let count = "otelcol_receiver_accepted_spans_total{receiver=\"otlp/\\\"x\\\"\",\
                 service_instance_id=\"7\",transport=\"grpc\"} 7\n";
    assert!(text.contains(count), "{text}");
}

#[test]
fn a_label_has_a_name_that_prometheus_takes() {
    assert_eq!(label_name("service.name"), "service_name");
    assert_eq!(label_name("1st-ä"), "_st__");
    assert_eq!(label_name(""), "_");
    assert!(matches!(label_name("otel_signal"), Cow::Borrowed("otel_signal")));
}

#[test]
fn a_metric_has_a_name_that_prometheus_takes() {
    const DOTTED: Instrument = Instrument::counter("a:spans.filtered", "1", "Spans.");
    const ODD: Instrument = Instrument::gauge("1st.ä", "By", "Odd.");
    let mut all = Measurements::default();
    all.set(&DOTTED, 1u64);
    all.set(&ODD, 2u64);
    let text = text(&all, &resource(), &PrometheusSettings::default());
    assert!(text.contains("# TYPE a:spans_filtered counter\na:spans_filtered 1\n"), "{text}");
    assert!(text.contains("# TYPE _st__ gauge\n_st__ 2\n"), "{text}");
}
