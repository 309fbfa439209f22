//! The processor with a memory that the tests fill.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{Deadline, Outcome};
use tokio::time::sleep;

use super::*;
use crate::admission::Budget;
use crate::component::{Host, Node, Processor as _};
use crate::config::ConfigError;
use crate::consumer::{Answer, Batch, Consumer};
use crate::gathering::tests::payload;
use crate::memory::Memory;
use crate::telemetry::{Measurements, Value};

#[derive(Debug, Default)]
struct Filled {
    mib: AtomicU64,
    looks: AtomicU64,
}

impl Filled {
    fn fill(&self, mib: u64) {
        self.mib.store(mib, Ordering::Relaxed);
    }
}

impl Memory for Filled {
    fn used(&self) -> io::Result<u64> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        match self.mib.load(Ordering::Relaxed) {
            u64::MAX => Err(io::Error::other("no memory file")),
            mib => Ok(mib << 20),
        }
    }

    fn total(&self) -> io::Result<u64> {
        Ok(1000 << 20)
    }
}

#[derive(Debug)]
struct Next;

impl Consumer for Next {
    fn consume(&self, _batch: Batch, _deadline: Deadline) -> Answer<'_> {
        Box::pin(async { Outcome::delivered() })
    }

    fn holds(&self) -> bool {
        true
    }
}

fn read(text: &str) -> Result<MemoryLimiterSettings, ConfigError> {
    let yaml = format!(
        "receivers: {{otlp: }}\nexporters: {{debug: }}\nprocessors: {{memory_limiter: {text}}}\n\
         service::pipelines::traces: {{receivers: [otlp], processors: [memory_limiter], exporters: [debug]}}"
    );
    let sources = [crate::config::Source::Yaml(yaml)];
    let config = crate::config::Config::load_with(&sources, &|_| None)?;
    let settings: MemoryLimiterSettings = config.settings.processors[0].settings.read()?;
    settings.validate().map(|()| settings)
}

fn limiter(text: &str) -> (MemoryLimiter, Arc<Filled>) {
    let memory = Arc::new(Filled::default());
    (MemoryLimiter::with_memory(read(text).unwrap(), Arc::clone(&memory) as _), memory)
}

fn start(limiter: &MemoryLimiter, signal: Signal) -> Arc<dyn Node> {
    let host = Host::alone("memory_limiter".parse().unwrap());
    limiter.start(&host, signal, Arc::new(Next)).unwrap()
}

async fn consume(node: &Arc<dyn Node>) -> Outcome {
    node.consume(Batch::without_ticket(payload(3)), Deadline::NEVER).await
}

const TICK: Duration = Duration::from_millis(101);

#[tokio::test(start_paused = true)]
async fn what_comes_is_refused_while_memory_is_above_the_soft_limit_and_may_come_again() {
    let text = "{check_interval: 100ms, limit_mib: 100, spike_limit_mib: 30}";
    let (limiter, memory) = limiter(text);
    let node = start(&limiter, Signal::Traces);
    assert!(node.holds(), "as the next one does");
    for (mib, is_taken) in [(69, true), (70, false), (100, false), (71, false), (69, true)] {
        memory.fill(mib);
        sleep(TICK).await;
        let outcome = consume(&node).await;
        match (&outcome, is_taken) {
            (Outcome::Delivered { .. }, true) => {}
            (Outcome::Retryable { error, retry_after: Some(after) }, false) => {
                assert!(error.to_string().contains("data refused due to high memory usage"));
                assert_eq!(*after, Duration::from_secs(1));
            }
            _ => panic!("{mib} MiB: {outcome:?}"),
        }
    }
    let mut measured = Measurements::default();
    node.measure(&mut measured);
    let value = |name: &str| {
        let (_, points) = measured.iter().find(|(what, _)| what.name == name).unwrap();
        points[0].value.clone()
    };
    let name = |which: &str| format!("otelcol_processor_memory_limiter_{which}_spans");
    assert_eq!(value(&name("accepted")), Value::Whole(6));
    assert_eq!(value(&name("refused")), Value::Whole(9));
    assert_eq!(value("otelcol_processor_incoming_items"), Value::Whole(15));
    assert_eq!(value("otelcol_processor_outgoing_items"), Value::Whole(6));
}

#[tokio::test(start_paused = true)]
async fn the_tickets_of_what_is_refused_come_back() {
    let (limiter, memory) = limiter("{check_interval: 1s, limit_mib: 100}");
    memory.fill(90);
    let node = start(&limiter, Signal::Logs);
    let budget = Budget::new(10);
    let batch = Batch::new(payload(1), budget.take(10).unwrap());
    let outcome = node.consume(batch, Deadline::NEVER).await;
    assert!(matches!(outcome, Outcome::Retryable { .. }), "a fifth is kept for what comes at once");
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn pipelines_share_one_look_and_it_ends_with_the_last_of_them() {
    let text = "{check_interval: 100ms, limit_percentage: 80, spike_limit_percentage: 20}";
    let (limiter, memory) = limiter(text);
    let nodes = [Signal::Traces, Signal::Logs].map(|signal| start(&limiter, signal));
    memory.fill(600);
    sleep(TICK).await;
    assert_eq!(memory.looks.load(Ordering::Relaxed), 2, "at the start and once since");
    for node in &nodes {
        assert!(matches!(consume(node).await, Outcome::Retryable { .. }));
    }
    drop(nodes);
    sleep(10 * TICK).await;
    assert_eq!(memory.looks.load(Ordering::Relaxed), 2);
    memory.fill(599);
    let again = start(&limiter, Signal::Metrics);
    assert!(matches!(consume(&again).await, Outcome::Delivered { .. }));
}

#[tokio::test(start_paused = true)]
async fn where_memory_cannot_be_read_it_does_not_start_and_later_the_last_decision_stays() {
    let (limiter, memory) = limiter("{check_interval: 100ms, limit_mib: 100}");
    memory.fill(u64::MAX);
    let host = Host::alone("memory_limiter".parse().unwrap());
    let error = limiter.start(&host, Signal::Traces, Arc::new(Next)).unwrap_err().to_string();
    assert_eq!(error, "the memory of this system cannot be read: no memory file");
    memory.fill(90);
    let node = start(&limiter, Signal::Traces);
    memory.fill(u64::MAX);
    sleep(TICK).await;
    assert!(matches!(consume(&node).await, Outcome::Retryable { .. }));
}

#[test]
fn what_the_go_collector_refuses_is_refused_and_its_gc_keys_are_warned_of() {
    for (text, wrong) in [
        ("{limit_mib: 100}", "check_interval"),
        ("{check_interval: 1s}", "limit_mib"),
        ("{check_interval: 1s, limit_mib: 10, spike_limit_mib: 10}", "spike_limit_mib"),
        ("{check_interval: 1s, limit_percentage: 101}", "limit_percentage"),
        ("{check_interval: 1s, limit_percentage: 20, spike_limit_percentage: 20}", "spike_limit"),
        ("{check_interval: 1s, limit: 20}", "unknown"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(wrong), "{text}: {error}");
    }
    let text = "{check_interval: 1s, limit_mib: 10, min_gc_interval_when_soft_limited: 10s}";
    let warnings = read(text).unwrap().warnings();
    assert!(warnings[0].starts_with("min_gc_interval_when_soft_limited "), "{warnings:?}");
}

#[test]
fn limits_are_those_of_the_go_collector() {
    let limits = |text: &str| {
        let limits = read(text).unwrap().limits(1000);
        (limits.soft, limits.hard)
    };
    assert_eq!(limits("{check_interval: 1s, limit_percentage: 50}"), (400, 500));
    let text = "{check_interval: 1s, limit_percentage: 50, spike_limit_percentage: 30}";
    assert_eq!(limits(text), (200, 500));
    let text = "{check_interval: 1s, limit_mib: 5, limit_percentage: 50}";
    assert_eq!(limits(text), (4 << 20, 5 << 20), "the fixed one comes first");
}
