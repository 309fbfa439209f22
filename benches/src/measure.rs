//! The clocks and gauges that every row uses.

use std::error::Error;
use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of all threads of this process so far, ended threads included.
#[must_use]
pub fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// Resident memory of this process in bytes.
///
/// # Errors
///
/// `/proc/self/statm` cannot be read: the row needs Linux.
pub fn resident_bytes() -> Result<u64, Box<dyn Error + Send + Sync>> {
    let text = fs::read_to_string("/proc/self/statm")
        .map_err(|error| format!("/proc/self/statm: {error} (this row needs Linux)"))?;
    let pages: u64 = text
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|field| field.parse().ok())
        .ok_or("/proc/self/statm: no second field")?;
    Ok(pages.saturating_mul(rustix::param::page_size() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_clock_counts_the_work_of_other_threads() {
        let before = process_cpu();
        let worker = std::thread::spawn(|| {
            let start = process_cpu();
            while process_cpu() - start < Duration::from_millis(5) {}
        });
        worker.join().unwrap();
        assert!(process_cpu() - before >= Duration::from_millis(5));
    }

    #[test]
    fn resident_memory_grows_by_what_is_touched() {
        let before = resident_bytes().unwrap();
        let block = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = resident_bytes().unwrap();
        drop(block);
        assert!(after >= before + (16 << 20), "{before} {after}");
    }
}
