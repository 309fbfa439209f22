//! What the exporters for the official SDK take from the environment.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_sdk::bridge::{ExportConfig, PushMetricExporter};
use otlp_testing::ScriptedExporter;

use crate::child;

#[test]
fn each_signal_has_the_export_timeout_of_its_own_variable() {
    // B4
    let env = Env::from_pairs([
        ("OTEL_BSP_EXPORT_TIMEOUT", "1000"),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "2000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "3000"),
    ]);
    for (signal, seconds) in [(Signal::Traces, 1), (Signal::Logs, 2), (Signal::Metrics, 3)] {
        let timeout = |env: &Env| ExportConfig::from_env(&mut env.reader(), signal).timeout;
        assert_eq!(timeout(&env), Duration::from_secs(seconds), "{signal}");
        assert_eq!(timeout(&Env::empty()), Duration::from_secs(30), "{signal}");
    }
}

#[test]
fn an_export_timeout_that_is_no_number_is_told_and_the_default_holds() {
    for (signal, name) in [
        (Signal::Traces, "OTEL_BSP_EXPORT_TIMEOUT"),
        (Signal::Logs, "OTEL_BLRP_EXPORT_TIMEOUT"),
        (Signal::Metrics, "OTEL_METRIC_EXPORT_TIMEOUT"),
    ] {
        let env = Env::from_pairs([(name, "soon")]);
        let mut reader = env.reader();
        let config = ExportConfig::from_env(&mut reader, signal);
        assert_eq!(config.timeout, Duration::from_secs(30));
        let warnings = reader.into_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].to_string().contains(name), "{}", warnings[0]);
    }
}

// M11
#[test]
fn the_temporality_is_what_the_environment_prefers() {
    const NAME: &str = "environment::the_temporality_is_what_the_environment_prefers";
    const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let found = || PushMetricExporter::new(ScriptedExporter::new()).temporality();
    for (value, expected) in [
        ("", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("LowMemory", Temporality::LowMemory),
        ("often", Temporality::Cumulative),
    ] {
        let work = || {
            // The child has one of the values.
            if std::env::var(VARIABLE).as_deref() == Ok(value) {
                assert_eq!(found(), expected, "{value}");
                print!("looked at {value:?}");
            }
        };
        if let Some(out) = child::output(NAME, &[(VARIABLE, value)], work) {
            assert!(out.contains(&format!("looked at {value:?}")), "{out}");
        }
    }
}

#[test]
fn settings_in_code_leave_the_environment_unread() {
    const NAME: &str = "environment::settings_in_code_leave_the_environment_unread";
    let variables = [("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")];
    child::run(NAME, &variables, || {
        let exporter = || ScriptedExporter::new();
        let config = ExportConfig::default();
        let plain = PushMetricExporter::with_config(exporter(), config);
        assert_eq!(plain.temporality(), Temporality::Cumulative);
        let told = PushMetricExporter::new(exporter()).with_temporality(Temporality::LowMemory);
        assert_eq!(told.temporality(), Temporality::LowMemory);
    });
}
