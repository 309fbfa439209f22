//! What a configuration may ask for, and what it may not.

use super::*;

fn error(yaml: &str) -> String {
    let config = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None).unwrap();
    Blueprint::new(&config.settings, &Registry::standard()).unwrap_err().to_string()
}

#[test]
fn a_type_that_nobody_knows_is_told_with_its_place_and_the_nearest() {
    let text = error(
        "receivers: {otlp: {protocols: {grpc: }}}\nexporters:\n  nopp: {}\n\
         service: {pipelines: {traces: {receivers: [otlp], exporters: [nopp]}}}",
    );
    assert_eq!(
        text,
        "yaml::3:9: exporters::nopp: unknown exporter \"nopp\"; did you mean \"nop\"?"
    );
}

#[test]
fn settings_are_read_of_every_component_also_of_those_that_nothing_uses() {
    let text = error(
        "receivers: {otlp: {protocols: {grpc: }}}\nexporters: {nop: , nop/2: {queue: 1}}\n\
         service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}",
    );
    assert!(text.starts_with("yaml::2:"), "{text}");
    assert!(text.contains("exporters::nop/2: unknown key \"queue\""), "{text}");
}

#[test]
fn a_processor_has_to_fit_the_signal_of_its_pipeline() {
    let text = error(
        "
        receivers: {otlp: {protocols: {grpc: }}}
        processors:
          attributes: {include: {match_type: strict, span_names: [a]}, actions: [{key: a, action: delete}]}
        exporters: {nop: }
        service: {pipelines: {logs: {receivers: [otlp], processors: [attributes], exporters: [nop]}}}
        ",
    );
    assert!(text.starts_with("yaml::4:"), "{text}");
    assert!(text.contains("service::pipelines::logs::attributes::include: "), "{text}");
}

#[test]
fn connectors_that_go_round_are_refused() {
    let text = error(
        "
        receivers: {otlp: {protocols: {grpc: }}}
        connectors: {forward: , forward/back: }
        exporters: {nop: }
        service:
          pipelines:
            traces/in: {receivers: [otlp, forward/back], exporters: [forward]}
            traces/round: {receivers: [forward], exporters: [forward/back]}
            traces/out: {receivers: [forward], exporters: [nop]}
        ",
    );
    assert!(text.starts_with("yaml::7:13: service::pipelines::traces/in: "), "{text}");
    assert!(
        text.contains("what goes in comes round again, through traces/in, traces/round"),
        "{text}"
    );
}

#[test]
fn a_connector_connects_pipelines_of_signals_that_it_knows() {
    let text = error(
        "
        receivers: {otlp: {protocols: {grpc: }}}
        connectors: {forward: }
        exporters: {nop: }
        service:
          pipelines:
            traces: {receivers: [otlp], exporters: [forward]}
            logs: {receivers: [forward], exporters: [nop]}
        ",
    );
    assert!(text.starts_with("yaml::8:13: service::pipelines::logs: "), "{text}");
    assert!(text.contains("no logs come out of the connector \"forward\""), "{text}");
}

/// As the Go collector does.
#[test]
fn a_receiver_without_a_protocol_is_refused() {
    for (settings, place) in
        [("", "1:13"), ("{}", "1:19"), ("{protocols: }", "1:29"), ("{protocols: {}}", "1:31")]
    {
        let text = error(&format!(
            "receivers: {{otlp: {settings}}}\nexporters: {{nop: }}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}"
        ));
        let expected = format!(
            "yaml::{place}: receivers::otlp::protocols: there is no protocol; one at least is needed: grpc, http"
        );
        assert_eq!(text, expected, "{settings}");
    }
}

#[test]
fn an_authenticator_that_is_not_started_is_refused_with_its_place() {
    let of = |receiver: &str, exporter: &str, extensions: &str| {
        error(&format!(
            "receivers: {{otlp: {{protocols: {{grpc: {receiver}}}}}}}\n\
             exporters: {{otlp_http: {{endpoint: 'http://a'{exporter}}}}}\n\
             extensions: {{bearertokenauth: {{token: a}}, zpages: }}\n\
             service: {{extensions: [{extensions}], \
             pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}}}"
        ))
    };
    let auth = "auth: {authenticator: bearertokenauth}";
    let said = "auth: no extension \"bearertokenauth\" is started; name it in service::extensions";
    assert_eq!(
        of(&format!("{{{auth}}}"), "", ""),
        format!("yaml::1:45: receivers::otlp::protocols::grpc::{said}")
    );
    assert_eq!(
        of("", &format!(", {auth}"), "zpages"),
        format!("yaml::2:53: exporters::otlp_http::{said}")
    );
}

#[tokio::test(start_paused = true)]
async fn pipelines_share_an_exporter_and_receivers_feed_several() {
    let bench = Bench::of(
        "
        receivers: {otlp: , otlp/2: }
        exporters: {nop: }
        service:
          pipelines:
            traces/a: {receivers: [otlp, otlp/2], exporters: [nop]}
            traces/b: {receivers: [otlp/2], exporters: [nop]}
        ",
    );
    let collector = bench.start().await;
    // The inlet has what the second receiver was given: both pipelines.
    assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
    let status = collector.board().status();
    assert_eq!((status.exporters.len(), status.exporters[0].account.sent), (1, 2));
    assert_eq!(collector.stop(within(SECOND)).await.unaccounted(), 0);
    assert_eq!(bench.exporter("nop").shutdowns(), 1);
}
