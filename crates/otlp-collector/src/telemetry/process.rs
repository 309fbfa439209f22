//! What the operating system says of this process.

use std::fs;

use super::{Instrument, Measurements};

const UPTIME: Instrument =
    Instrument::counter("otelcol_process_uptime", "s", "Time since the collector was started.");
const CPU: Instrument = Instrument::counter(
    "otelcol_process_cpu_seconds",
    "s",
    "Processor time of this process, in user mode and in the kernel.",
);
const MEMORY: Instrument = Instrument::gauge(
    "otelcol_process_memory_rss",
    "By",
    "Memory of this process that is resident.",
);

/// Writes down what is known; where the operating system does not say, nothing.
pub(super) fn measure(uptime_seconds: f64, all: &mut Measurements) {
    all.set(&UPTIME, uptime_seconds);
    if let Some(seconds) = read("/proc/self/stat").and_then(|stat| cpu_seconds(&stat)) {
        all.set(&CPU, seconds);
    }
    if let Some(bytes) = read("/proc/self/status").and_then(|status| resident_bytes(&status)) {
        all.set(&MEMORY, bytes);
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Fields 14 and 15: the command before them may hold spaces and brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system) as f64 / TICKS)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What Linux counts in, towards programs, on every architecture that Rust's standard library runs on.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_whatever_command() {
        let stat = "7 (a ) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 99 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        let mut all = Measurements::default();
        measure(1.5, &mut all);
        let names: Vec<_> = all.iter().map(|(instrument, _)| instrument.name).collect();
        assert_eq!(names, [CPU.name, MEMORY.name, UPTIME.name]);
    }
}
