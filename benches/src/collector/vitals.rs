//! What a process has used: CPU time and memory, from `/proc`.

use std::fs;
use std::time::Duration;

use crate::subject::Failure;

/// CPU time of a process so far, of all its threads, in the ticks of the system (10 ms).
pub(super) fn cpu(process: u32) -> Result<Duration, Failure> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let ticks = cpu_ticks(&text).ok_or_else(|| format!("{path}: not what was expected: {text}"))?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// `utime` and `stime`, the 14th and 15th field. The second is a name that may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// Resident memory of a process in MiB.
pub(super) fn resident(process: u32) -> Result<f64, Failure> {
    mebibytes(process, "VmRSS:")
}

/// The most that it ever was.
pub(super) fn resident_peak(process: u32) -> Result<f64, Failure> {
    mebibytes(process, "VmHWM:")
}

fn mebibytes(process: u32, name: &str) -> Result<f64, Failure> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let kibibytes = kibibytes(&text, name).ok_or_else(|| format!("{path}: no {name}"))?;
    Ok(kibibytes as f64 / 1024.0)
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_name_has_brackets_and_blanks_is_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 1 0 99";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn this_process_has_used_cpu_and_memory() {
        let start = crate::measure::process_cpu();
        while crate::measure::process_cpu() - start < Duration::from_millis(30) {}
        assert!(cpu(std::process::id()).unwrap() >= Duration::from_millis(10));
        let (now, peak) = (resident(std::process::id()), resident_peak(std::process::id()));
        assert!(now.unwrap() > 1.0 && peak.unwrap() > 1.0);
        assert!(resident(u32::MAX).is_err());
    }
}
