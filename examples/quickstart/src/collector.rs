//! A collector inside the program: it takes what both services send, edits it, and shows it.

use std::sync::{Arc, Mutex, PoisonError};

use otlp_collector::edit::{
    Action, Criteria, Effect, Literal, Rule, Selector, Source, Target, Texts,
};
use otlp_collector::engine::{Collector, StartError};
use otlp_collector::exporters::debug::DebugSettings;
use otlp_collector::pipeline::Pipeline;
use otlp_collector::processors::Rules;
use otlp_collector::receivers::otlp::{OtlpReceiver, OtlpSettings};
use otlp_collector::sending::SendingSettings;
use otlp_sdk::otlp_core::export::{Deadline, Exporter, Outcome};
use otlp_sdk::otlp_core::{Payload, Signal};

/// Starts it on free loopback ports.
pub(crate) async fn start(shelf: &Shelf) -> Result<Collector, StartError> {
    // Says of every resource where it was seen.
    let environment = Literal::from("quickstart");
    let seen_in = Action::upsert("deployment.environment.name", Source::value(&environment));
    let enrich = Rule {
        target: Target::Resource,
        selector: Selector::default(),
        effect: Effect::Edit(vec![seen_in]),
    };
    // Keeps all spans but those of health checks.
    let probes = Some(Texts::Strict(vec!["GET /healthz".to_owned()]));
    let quiet = Rule {
        target: Target::Item,
        selector: Selector {
            exclude: Some(Criteria { names: probes, ..Criteria::default() }),
            ..Selector::default()
        },
        effect: Effect::Keep,
    };
    Pipeline::builder()
        .signals([Signal::Traces])
        .receiver("otlp", OtlpReceiver::new(OtlpSettings::on_free_ports()))
        .processor("resource", Rules::new([enrich]))
        .processor("filter", Rules::new([quiet]))
        .exporter("debug", DebugSettings::default())
        .export_with("shelf", shelf.clone(), SendingSettings::default())
        .start()
        .await
}

/// An exporter of the program's own: keeps the requests, to be shown as trees at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf(Arc<Mutex<Vec<Payload>>>);

impl Shelf {
    /// What was exported.
    pub(crate) fn requests(&self) -> Vec<Payload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Exporter for Shelf {
    async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
        Outcome::delivered()
    }
}
