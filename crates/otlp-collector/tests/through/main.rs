//! What the official SDK sends through a collector comes out as it was sent.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod official;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use opentelemetry_otlp::{Compression, Protocol};
use otlp_collector::admission::Budget;
use otlp_collector::config::{Config, Source};
use otlp_collector::engine::{Blueprint, Collector};
use otlp_collector::registry::Registry;
use otlp_core::Signal;
use otlp_core::export::Deadline;
use otlp_testing::{Message, ReceivedRequest, Server};
use tokio::task::spawn_blocking;

use self::official::{Way, emit};

/// The ways out: an exporter, its compression, and the content type that arrives.
const EXITS: [(&str, &str, &str); 5] = [
    ("otlp_grpc", "none", "application/grpc"),
    ("otlp_grpc", "gzip", "application/grpc"),
    ("otlp_http", "none", "application/x-protobuf"),
    ("otlp_http", "zstd", "application/x-protobuf"),
    ("otlp_http", "gzip", "application/json"),
];

/// A collector that hands everything on by all its ways out, without a queue, and the servers there.
struct Site {
    collector: Collector,
    exits: Vec<Server>,
}

impl Site {
    async fn start() -> Self {
        let exits = EXITS.map(|_| Server::start()).into_iter().collect::<Vec<_>>();
        let config = Config::load(&[Source::Yaml(yaml(&exits))]).unwrap();
        let blueprint = Blueprint::new(&config.settings, &Registry::standard()).unwrap();
        let budget = Budget::new(Budget::DEFAULT_CAPACITY);
        Self { collector: blueprint.start(budget).await.unwrap(), exits }
    }

    fn endpoint(&self, protocol: Protocol) -> String {
        let name = if protocol == Protocol::Grpc { "grpc" } else { "http" };
        format!("http://{}", self.collector.listener("otlp", name).unwrap())
    }
}

fn yaml(servers: &[Server]) -> String {
    let (mut exporters, mut names) = (String::new(), Vec::new());
    for (at, ((kind, compression, media), server)) in EXITS.iter().zip(servers).enumerate() {
        let endpoint = match *kind {
            "otlp_grpc" => server.grpc_addr().to_string(),
            _ => server.http_endpoint(),
        };
        let name = format!("{kind}/{at}");
        let encoding = if media.ends_with("json") { ", encoding: json" } else { "" };
        let at_once = "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}";
        writeln!(
            exporters,
            "  {name}: {{endpoint: '{endpoint}', tls: {{insecure: true}}, compression: {compression}{encoding}, {at_once}}}"
        )
        .unwrap();
        names.push(name);
    }
    let pipeline = format!("{{receivers: [otlp], exporters: [{}]}}", names.join(", "));
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}, http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
         exporters:\n{exporters}\
         service: {{pipelines: {{traces: {pipeline}, metrics: {pipeline}, logs: {pipeline}}}}}"
    )
}

/// Whether it came in the form of its way out.
fn has_form(request: &ReceivedRequest, (_, compression, media): (&str, &str, &str)) -> bool {
    let header = |name| request.header(name);
    let encoding = header("grpc-encoding").or_else(|| header("content-encoding"));
    header("content-type") == Some(media) && encoding.unwrap_or("none") == compression
}

/// The requests in the order of arrival.
fn messages(server: &Server, signal: Signal) -> Vec<Message> {
    let requests = server.requests();
    let of_signal = requests.iter().filter(|request| request.signal == signal);
    of_signal.map(|request| request.message.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_official_sdk_sends_comes_out_as_it_was_sent_by_every_way_in_and_out() {
    // G1, H1, W1, J1
    let site = Site::start().await;
    let gzip = Some(Compression::Gzip);
    for (protocol, compression) in [
        (Protocol::Grpc, None),
        (Protocol::Grpc, gzip),
        (Protocol::HttpBinary, None),
        (Protocol::HttpBinary, gzip),
        (Protocol::HttpJson, None),
        (Protocol::HttpJson, gzip),
    ] {
        let direct = Server::start();
        let directly = Way {
            endpoint: direct.http_endpoint(),
            protocol: Protocol::HttpBinary,
            compression: None,
        };
        let through = Way { endpoint: site.endpoint(protocol), protocol, compression };
        // Their HTTP clients block the thread.
        spawn_blocking(move || emit(&directly, &through)).await.unwrap();
        for signal in Signal::ALL {
            let sent = messages(&direct, signal);
            assert!(sent.iter().map(Message::items).sum::<usize>() > 3, "{signal:?}: {sent:?}");
            for (server, exit) in site.exits.iter().zip(EXITS) {
                assert_eq!(server.problems(), [""; 0], "{protocol:?}, {compression:?}, {exit:?}");
                assert!(server.requests().iter().all(|it| has_form(it, exit)), "{exit:?}");
                let came = messages(server, signal);
                assert_eq!(came.len(), sent.len(), "{protocol:?}, {compression:?}, {exit:?}");
                let differing = came.iter().zip(&sent).find(|(came, sent)| came != sent);
                assert_eq!(differing, None, "{protocol:?}, {compression:?}, {exit:?}");
            }
        }
        site.exits.iter().for_each(Server::clear);
    }
    assert_eq!(site.exits.iter().flat_map(Server::problems).collect::<Vec<_>>(), [""; 0]);
    let ledger =
        site.collector.stop(Deadline::after(Instant::now(), Duration::from_secs(10))).await;
    assert_eq!(ledger.unaccounted(), 0);
}
