//! What the environment says about metrics.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::metrics::{Instrument, Stream, Temporality};
use otlp_core::export::Env;
use otlp_sdk::PipelineError;
use otlp_sdk::metrics::{
    HistogramAggregation, MeterProvider, MeterProviderBuilder, PeriodicReader, ReaderConfig,
};
use otlp_testing::Server;

use crate::support::{config, http, metrics, received, values};

fn config_of<const N: usize>(pairs: [(&str, &str); N]) -> (ReaderConfig, Vec<String>) {
    let env = Env::from_pairs(pairs);
    let mut reader = env.reader();
    let config = ReaderConfig::from_env(&mut reader);
    (config, reader.into_warnings().iter().map(ToString::to_string).collect())
}

#[test]
fn interval_timeout_and_temporality_come_from_the_environment() {
    // M9, M11
    let (config, warnings) = config_of([
        ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
    ]);
    assert_eq!((config.interval, config.timeout), (ms(1500), ms(250)));
    assert_eq!(config.temporality, Temporality::LowMemory);
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn without_variables_the_defaults_are_the_specifications() {
    let (config, warnings) = config_of([("OTEL_METRIC_EXPORT_INTERVAL", " ")]);
    assert_eq!((config.interval, config.timeout), (ms(60_000), ms(30_000)));
    assert_eq!(config.temporality, Temporality::Cumulative);
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn values_that_cannot_be_used_are_told_and_the_defaults_hold() {
    let (config, warnings) = config_of([
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
    ]);
    assert_eq!((config.interval, config.timeout), (ms(60_000), ms(30_000)));
    assert_eq!(config.temporality, Temporality::Cumulative);
    assert_eq!(
        warnings,
        [
            "OTEL_METRIC_EXPORT_INTERVAL=\"0\" is out of range; \
             accepted: a whole number, 1 or more; using 60000 ms",
            "OTEL_METRIC_EXPORT_TIMEOUT=\"soon\" is not a whole number; \
             accepted: a whole number of milliseconds, 0 or more; using 30000 ms",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=\"both\" is not known; \
             accepted: cumulative, delta, lowmemory; using cumulative",
        ]
    );
}

/// The kind of data that a histogram of this name becomes.
fn kind(builder: MeterProviderBuilder, name: &'static str) -> &'static str {
    let server = Server::start();
    let provider = builder.with_exporter_config(http(&server), config()).build();
    provider.meter("test").f64_histogram(name).build().record(1.0, &[]);
    provider.shutdown().unwrap();
    match &metrics(&received(&server))[..] {
        [metric] => match metric.data {
            Some(Data::Histogram(_)) => "explicit",
            Some(Data::ExponentialHistogram(_)) => "exponential",
            _ => "something else",
        },
        metrics => panic!("{} metrics", metrics.len()),
    }
}

#[test]
fn histograms_are_aggregated_as_the_environment_says() {
    const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    for (value, expected, warnings) in [
        ("", "explicit", 0),
        ("explicit_bucket_histogram", "explicit", 0),
        ("BASE2_exponential_bucket_histogram", "exponential", 0),
        ("exponential", "explicit", 1),
    ] {
        let env = Env::from_pairs([(NAME, value)]);
        let mut reader = env.reader();
        let builder = MeterProvider::builder().with_env(&mut reader);
        assert_eq!(kind(builder, "histogram"), expected, "{value}");
        assert_eq!(reader.into_warnings().len(), warnings, "{value}");
    }
}

#[test]
fn a_histogram_without_bounds_has_the_default_ones_and_each_holds_its_upper_bound() {
    // row M2
    const BOUNDS: [f64; 15] = [
        0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0,
        7500.0, 10000.0,
    ];
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let histogram = provider.meter("test").f64_histogram("histogram").build();
    BOUNDS.iter().for_each(|bound| histogram.record(*bound, &[]));
    (0..2).for_each(|_| histogram.record(10_000.5, &[]));
    provider.shutdown().unwrap();
    let metrics = metrics(&received(&server));
    let [Some(Data::Histogram(data))] = metrics.iter().map(|it| &it.data).collect::<Vec<_>>()[..]
    else {
        panic!("{metrics:?}")
    };
    let [point] = &data.data_points[..] else { panic!("{data:?}") };
    assert_eq!(point.explicit_bounds, BOUNDS);
    let (last, rest) = point.bucket_counts.split_last().unwrap();
    assert_eq!((rest, *last), (&[1; 15][..], 2), "one at each bound, two beyond");
}

#[test]
fn a_view_beats_the_default_aggregation_and_does_not_add_a_second_stream() {
    // M4
    fn named(instrument: &Instrument) -> Option<Stream> {
        (instrument.name() == "viewed").then(|| Stream::builder().with_unit("s").build().unwrap())
    }
    let builder = || {
        MeterProvider::builder()
            .with_view(named)
            .with_histogram_aggregation(HistogramAggregation::Base2Exponential)
    };
    assert_eq!(kind(builder(), "viewed"), "explicit");
    assert_eq!(kind(builder(), "other"), "exponential");
}

#[test]
fn code_beats_the_environment_whichever_comes_first() {
    let env = Env::from_pairs([(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "base2_exponential_bucket_histogram",
    )]);
    let code = HistogramAggregation::ExplicitBuckets;
    let first = MeterProvider::builder().with_histogram_aggregation(code);
    assert_eq!(kind(first.with_env(&mut env.reader()), "histogram"), "explicit");
    let last = MeterProvider::builder().with_env(&mut env.reader());
    assert_eq!(kind(last.with_histogram_aggregation(code), "histogram"), "explicit");
}

#[test]
fn the_official_provider_can_be_changed_before_it_is_built() {
    let server = Server::start();
    let second = PeriodicReader::builder(http(&server)).with_config(config()).build();
    let theirs = second.clone();
    let provider = MeterProvider::builder()
        .with_sdk(move |sdk| sdk.with_reader(theirs))
        .with_sdk(|sdk| {
            sdk.with_view(|_: &Instrument| Stream::builder().with_name("renamed").build().ok())
        })
        .build();
    provider.meter("test").u64_counter("counter").build().add(5, &[]);
    // A reader that was brought along that way ends with the provider, but has a ledger of its own.
    provider.shutdown().unwrap();
    assert_eq!(values(&server, "renamed"), [5]);
    assert_eq!((second.ledger().delivered, provider.ledger().delivered), (1, 0));
    assert!(matches!(second.shutdown(), Err(PipelineError::AlreadyShutdown)));
}

#[test]
fn an_exemplar_filter_is_told_to_have_no_effect() {
    for (value, warnings) in
        [("", 0), ("always_off", 0), ("trace_based", 1), ("always_on", 1), ("some", 1)]
    {
        let env = Env::from_pairs([("OTEL_METRICS_EXEMPLAR_FILTER", value)]);
        let mut reader = env.reader();
        drop(MeterProvider::builder().with_env(&mut reader));
        assert_eq!(reader.into_warnings().len(), warnings, "{value}");
    }
}

/// `init()` sets the same up from the environment.
#[test]
fn init_reads_the_variables_and_guards_callbacks() {
    use opentelemetry::metrics::MeterProvider as _;
    let server = Server::start();
    let endpoint = server.http_endpoint();
    let env = Env::from_pairs([
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", format!("{endpoint}/v1/metrics")),
        ("OTEL_TRACES_EXPORTER", "none".to_owned()),
        ("OTEL_LOGS_EXPORTER", "none".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "3600000".to_owned()),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "base2_exponential_bucket_histogram".to_owned(),
        ),
    ]);
    let telemetry = otlp_sdk::builder().with_env(env).without_globals().init().unwrap();
    let meter = telemetry.meter_provider().meter("test");
    meter.f64_histogram("histogram").build().record(1.0, &[]);
    let _ = meter.u64_observable_gauge("shaky").with_callback(|_| panic!("not ours")).build();
    let error = telemetry.shutdown().unwrap_err();
    assert!(error.to_string().contains("a callback panicked: not ours"), "{error}");
    assert_eq!((error.ledgers.metrics.delivered, error.ledgers.metrics.panics), (1, 1));
    let found = metrics(&received(&server));
    assert!(matches!(found[0].data, Some(Data::ExponentialHistogram(_))));
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
