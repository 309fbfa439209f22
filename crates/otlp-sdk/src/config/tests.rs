use otlp_core::export::Env;

use super::*;

fn read<T>(pairs: &[(&str, &str)], f: impl FnOnce(&mut EnvReader<'_>) -> T) -> (T, Vec<String>) {
    let env = Env::from_pairs(pairs.iter().copied());
    let mut reader = env.reader();
    let value = f(&mut reader);
    (value, reader.into_warnings().iter().map(ToString::to_string).collect())
}

#[test]
fn the_defaults_are_the_specifications() {
    let ((config, limits), warnings) =
        read(&[], |env| (BatchConfig::from_env(Signal::Traces, env), span_limits(env)));
    assert_eq!(config.schedule_delay, Duration::from_secs(5));
    assert_eq!(config.export_timeout, Duration::from_secs(30));
    assert_eq!((config.batch_items(), config.max_queue_size), (512, None));
    assert_eq!(limits, SpanLimits::default());
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn every_batch_variable_is_honoured() {
    let (config, warnings) = read(
        &[
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "200"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "300"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "40"),
        ],
        |env| BatchConfig::from_env(Signal::Traces, env),
    );
    assert_eq!(config.schedule_delay, Duration::from_millis(100));
    assert_eq!(config.export_timeout, Duration::from_millis(200));
    assert_eq!(config.max_queue_size.unwrap().get(), 300);
    assert_eq!(config.batch_items(), 40);
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_signal_without_a_batch_processor_does_not_listen_to_that_of_another() {
    let (config, _) =
        read(&[("OTEL_BSP_SCHEDULE_DELAY", "7"), ("OTEL_BLRP_SCHEDULE_DELAY", "8")], |env| {
            BatchConfig::from_env(Signal::Metrics, env)
        });
    assert_eq!(config.schedule_delay, BatchConfig::default().schedule_delay);
}

#[test]
fn logs_have_variables_and_defaults_of_their_own() {
    let from_env = |env: &mut EnvReader<'_>| BatchConfig::from_env(Signal::Logs, env);
    // G-L3
    let (config, _) = read(&[("OTEL_BSP_SCHEDULE_DELAY", "7")], from_env);
    assert_eq!(config.schedule_delay, Duration::from_secs(1));
    assert_eq!((config.export_timeout, config.batch_items()), (Duration::from_secs(30), 512));
    let (config, warnings) = read(
        &[
            ("OTEL_BLRP_SCHEDULE_DELAY", "100"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "200"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "300"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "400"),
        ],
        from_env,
    );
    assert_eq!(config.schedule_delay, Duration::from_millis(100));
    assert_eq!(config.export_timeout, Duration::from_millis(200));
    assert_eq!((config.max_queue_size.unwrap().get(), config.batch_items()), (300, 300));
    assert!(warnings[0].contains("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"), "{warnings:?}");
}

#[test]
fn limits_of_log_records_beat_the_general_ones() {
    // L4
    let general =
        [("OTEL_ATTRIBUTE_COUNT_LIMIT", "10"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "20")];
    let own = [
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2"),
    ];
    let limits = |pairs: &[(&str, &str)]| {
        let (limits, warnings) = read(pairs, log_record_limits);
        assert_eq!(warnings, [""; 0]);
        (limits.attributes.count, limits.attributes.value.length)
    };
    assert_eq!(limits(&[]), (128, u32::MAX));
    assert_eq!(limits(&general), (10, 20));
    assert_eq!(limits(&[general, own].concat()), (1, 2));
}

#[test]
fn a_batch_larger_than_the_queue_is_cut_with_a_warning() {
    // R7
    let (config, warnings) = read(
        &[("OTEL_BSP_MAX_QUEUE_SIZE", "100"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512")],
        |env| BatchConfig::from_env(Signal::Traces, env),
    );
    assert_eq!(config.batch_items(), 100);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), "{warnings:?}");
}

#[test]
fn numbers_that_make_no_sense_leave_the_default_and_a_warning() {
    for (name, value) in [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "soon"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-5"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1e3"),
    ] {
        let ((config, limits), warnings) = read(&[(name, value)], |env| {
            (BatchConfig::from_env(Signal::Traces, env), span_limits(env))
        });
        assert_eq!((config.batch_items(), config.max_queue_size), (512, None), "{name}");
        assert_eq!(limits, SpanLimits::default(), "{name}");
        assert_eq!(warnings.len(), 1, "{name}");
        assert!(warnings[0].contains(name) && warnings[0].contains(value), "{warnings:?}");
    }
}

#[test]
fn specific_limits_beat_general_ones() {
    // L4
    let (limits, warnings) = read(
        &[
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"),
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "20"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "30"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "40"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "50"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "0"),
        ],
        span_limits,
    );
    assert_eq!(limits.attributes.value.length, 10);
    assert_eq!(limits.attributes.count, 30);
    assert_eq!((limits.attributes_per_event, limits.attributes_per_link), (40, 20));
    assert_eq!((limits.events, limits.links), (50, 0));
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn exporters_are_chosen_by_name() {
    use ExporterKind::*;
    for (value, kinds, warned) in [
        ("", vec![Otlp], 0),
        ("OTLP", vec![Otlp], 0),
        ("console, otlp,console", vec![Console, Otlp], 0),
        ("none", vec![None], 0),
        ("none,otlp", vec![Otlp], 0),
        ("zipkin", vec![Otlp], 1),
        ("zipkin,console", vec![Console], 1),
        ("zipkin,none", vec![None], 1),
    ] {
        let (read, warnings) = read(&[("E", value)], |env| exporters(env, "E"));
        assert_eq!((read, warnings.len()), (kinds, warned), "{value}");
    }
}

#[cfg(feature = "file")]
#[test]
fn lines_on_standard_output_are_an_exporter() {
    // X3
    use ExporterKind::*;
    let (read, warnings) = read(&[("E", "OTLP/stdout,otlp")], |env| exporters(env, "E"));
    assert_eq!((read, warnings), (vec![OtlpStdout, Otlp], vec![]));
}

#[cfg(not(feature = "file"))]
#[test]
fn lines_on_standard_output_need_their_feature() {
    let (read, warnings) = read(&[("E", "otlp/stdout")], |env| exporters(env, "E"));
    assert_eq!(read, [ExporterKind::Otlp]);
    assert!(warnings[0].contains("otlp/stdout") && warnings[0].contains("feature `file`"));
}
