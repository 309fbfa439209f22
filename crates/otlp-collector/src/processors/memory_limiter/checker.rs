//! Looks at the memory from time to time, for all pipelines together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::settings::{Limits, MemoryLimiterSettings};
use crate::component::BoxError;
use crate::config::ComponentId;
use crate::memory::Memory;

/// Knows whether to refuse. Its task ends with it.
#[derive(Debug)]
pub(super) struct Checker {
    watch: Arc<Watch>,
    /// Time from one look to the next.
    pub(super) interval: Duration,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Watch {
    id: ComponentId,
    memory: Arc<dyn Memory>,
    limits: Limits,
    refuses: AtomicBool,
    is_above_hard: AtomicBool,
}

impl Checker {
    /// Looks for the first time, and starts the task on the current runtime.
    pub(super) fn start(
        id: &ComponentId,
        settings: &MemoryLimiterSettings,
        memory: Arc<dyn Memory>,
    ) -> Result<Self, BoxError> {
        let unknown = |error| format!("the memory of this system cannot be read: {error}");
        let total = match settings.is_relative() {
            true => memory.total().map_err(unknown)?,
            false => 0,
        };
        let watch = Arc::new(Watch {
            id: id.clone(),
            limits: settings.limits(total),
            refuses: AtomicBool::new(false),
            is_above_hard: AtomicBool::new(false),
            memory,
        });
        watch.check(watch.memory.used().map_err(unknown)?);
        let mut task = JoinSet::new();
        task.spawn(Arc::clone(&watch).run(settings.check_interval));
        let Limits { soft, hard } = watch.limits;
        tracing::info!(
            target: "otlp_collector",
            processor = %id, soft_limit_mib = soft >> 20, limit_mib = hard >> 20, "memory is limited"
        );
        Ok(Self { watch, interval: settings.check_interval, _task: task })
    }

    /// Whether what comes now is refused. Reads one number.
    pub(super) fn refuses(&self) -> bool {
        self.watch.refuses.load(Ordering::Relaxed)
    }
}

impl Watch {
    async fn run(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut is_known = true;
        loop {
            ticks.tick().await;
            // A file without a disk behind it: reading it does not wait.
            match self.memory.used() {
                Ok(used) => {
                    self.check(used);
                    is_known = true;
                }
                Err(error) if is_known => {
                    is_known = false;
                    tracing::warn!(
                        target: "otlp_collector",
                        processor = %self.id, "the memory cannot be read, and what was decided last stays: {error}"
                    );
                }
                Err(_) => {}
            }
        }
    }

    fn check(&self, used: u64) {
        let used_mib = used >> 20;
        let refuses = used >= self.limits.soft;
        let is_above_hard = used >= self.limits.hard;
        let did_refuse = self.refuses.swap(refuses, Ordering::Relaxed);
        let was_above_hard = self.is_above_hard.swap(is_above_hard, Ordering::Relaxed);
        let id = &self.id;
        if is_above_hard && !was_above_hard {
            tracing::error!(target: "otlp_collector", processor = %id, used_mib, "memory is above the limit: everything is refused");
        } else if refuses && !did_refuse {
            tracing::warn!(target: "otlp_collector", processor = %id, used_mib, "memory is above the soft limit: everything is refused");
        } else if !refuses && did_refuse {
            tracing::info!(target: "otlp_collector", processor = %id, used_mib, "memory is below the soft limit again");
        }
    }
}
