//! What can be set, under the Go collector's keys.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::{ConfigError, duration};

/// The settings of the processor `memory_limiter`: what stands under `processors::memory_limiter`.
///
/// While the resident memory of the process is at the soft limit or above, everything that comes is refused in a
/// way that lets the client send it again later. The soft limit is the limit less the spike limit: what may be
/// added between two checks.
///
/// Memory is that of the process, as the system counts it, and not a part of a heap: there is no garbage to
/// collect, so that the keys that say when to do so have no effect. Pipelines that name the same processor share
/// one check. Works on Linux.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MemoryLimiterSettings {
    /// Time from one look at the memory to the next. Must be set; 1 s is good.
    #[serde(deserialize_with = "duration")]
    pub check_interval: Duration,
    /// The limit in MiB; before [`limit_percentage`](Self::limit_percentage). One of them must be set.
    pub limit_mib: u32,
    /// What may be added between two checks, in MiB. Default a fifth of the limit.
    pub spike_limit_mib: u32,
    /// The limit in percent of the memory that there is for the process: of its control group's limit, or else of
    /// the machine.
    pub limit_percentage: u32,
    /// What may be added between two checks, in percent of the same. Default a fifth of the limit.
    pub spike_limit_percentage: u32,
    min_gc_interval_when_soft_limited: Option<IgnoredAny>,
    min_gc_interval_when_hard_limited: Option<IgnoredAny>,
    max_gc_interval_when_soft_limited: Option<IgnoredAny>,
    max_gc_interval_when_hard_limited: Option<IgnoredAny>,
}

/// Bytes from which on something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) soft: u64,
    pub(super) hard: u64,
}

impl MemoryLimiterSettings {
    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted; the Go collector refuses the same.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, text: &str| Err(ConfigError::new(text).under(key));
        if self.check_interval.is_zero() {
            return wrong("check_interval", "it must be set, and greater than zero; 1s is good");
        }
        if self.limit_mib == 0 && self.limit_percentage == 0 {
            return wrong("limit_mib", "this or limit_percentage must be greater than zero");
        }
        for (key, percentage) in [
            ("limit_percentage", self.limit_percentage),
            ("spike_limit_percentage", self.spike_limit_percentage),
        ] {
            if percentage > 100 {
                return wrong(key, "it must be at most 100");
            }
        }
        if self.limit_mib > 0 && self.limit_mib <= self.spike_limit_mib {
            return wrong("spike_limit_mib", "it must be less than limit_mib");
        }
        if self.limit_percentage > 0 && self.limit_percentage <= self.spike_limit_percentage {
            return wrong("spike_limit_percentage", "it must be less than limit_percentage");
        }
        Ok(())
    }

    /// Whether the limit is a part of what there is.
    pub(super) const fn is_relative(&self) -> bool {
        self.limit_mib == 0
    }

    /// The limits where there is so much memory in all.
    pub(super) fn limits(&self, total: u64) -> Limits {
        let percent = |share: u32| u64::try_from(u128::from(total) * u128::from(share) / 100);
        let (hard, spike) = match self.is_relative() {
            true => (percent(self.limit_percentage), percent(self.spike_limit_percentage)),
            false => (Ok(mib(self.limit_mib)), Ok(mib(self.spike_limit_mib))),
        };
        let (hard, spike) = (hard.unwrap_or(u64::MAX), spike.unwrap_or(0));
        let spike = if spike == 0 { hard / 5 } else { spike };
        Limits { soft: hard.saturating_sub(spike), hard }
    }

    /// What is set and has no effect.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let ignored = [
            ("min_gc_interval_when_soft_limited", self.min_gc_interval_when_soft_limited.is_some()),
            ("min_gc_interval_when_hard_limited", self.min_gc_interval_when_hard_limited.is_some()),
            ("max_gc_interval_when_soft_limited", self.max_gc_interval_when_soft_limited.is_some()),
            ("max_gc_interval_when_hard_limited", self.max_gc_interval_when_hard_limited.is_some()),
        ];
        let set = ignored.into_iter().filter(|(_, is_set)| *is_set);
        set.map(|(key, _)| format!("{key} has no effect here: there is no garbage to collect"))
            .collect()
    }
}

fn mib(count: u32) -> u64 {
    u64::from(count) << 20
}
