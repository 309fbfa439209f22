//! A collector under measure: a process, started for one measurement and ended after it.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::prost::ProstTask;
use super::vitals;
use super::yaml::Setup;
use crate::process::{Running, Task, unsurrounded};
use crate::subject::{Failure, Transport};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Our collector.
    Ours,
    /// The collector that decodes and encodes with `prost`.
    Prost,
    /// The Go collector.
    Go,
}

impl Who {
    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Prost => "prost decode + encode",
            Self::Go => "Go collector",
        }
    }
}

/// What is started.
#[derive(Clone, Debug)]
pub enum Program {
    /// A program that takes `--config FILE` with the Go collector's YAML.
    Binary(PathBuf),
    /// This program as the collector on `prost`.
    Prost,
}

/// A collector that listens. Ended when this is dropped.
#[derive(Debug)]
pub struct Collector {
    process: Process,
    setup: Setup,
    /// From before it was started until it took a connection over gRPC.
    pub start: Duration,
    /// Has its configuration and what it writes.
    directory: TempDir,
}

#[derive(Debug)]
enum Process {
    Binary(Ended),
    Prost(Running),
}

/// Ends a process when it is dropped.
#[derive(Debug)]
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Collector {
    /// Starts a collector with this pipeline, on free ports in the place of those of `setup`, and waits
    /// until it listens.
    ///
    /// # Errors
    ///
    /// It cannot be started, ends, or does not listen in time. The error has the end of what it has said.
    pub fn start(program: &Program, setup: Setup) -> Result<Self, Failure> {
        let [grpc_port, http_port] = free_ports()?;
        let setup = Setup { grpc_port, http_port, ..setup };
        let directory = tempfile::tempdir()?;
        let (config, log) = (directory.path().join("config.yaml"), directory.path().join(LOG));
        fs::write(&config, setup.yaml())?;
        let begun = Instant::now();
        let process = match program {
            Program::Prost => Process::Prost(Running::start(&Task::Prost(ProstTask { setup }))?),
            Program::Binary(path) => {
                let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
                let mut command = unsurrounded(path);
                command.arg("--config").arg(&config).stdin(Stdio::null()).stdout(out).stderr(err);
                let child = command.spawn();
                Process::Binary(Ended(
                    child.map_err(|error| format!("{}: {error}", path.display()))?,
                ))
            }
        };
        let mut collector = Self { process, setup, start: Duration::ZERO, directory };
        collector.await_port(grpc_port, begun)?;
        collector.start = begun.elapsed();
        collector.await_port(http_port, begun)?;
        Ok(collector)
    }

    /// The port of a protocol.
    #[must_use]
    pub fn port(&self, transport: Transport) -> u16 {
        match transport {
            Transport::Grpc => self.setup.grpc_port,
            Transport::Http => self.setup.http_port,
        }
    }

    /// CPU time of the process so far, in ticks of 10 ms.
    ///
    /// # Errors
    ///
    /// It has ended, or this is not Linux.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        vitals::cpu(self.id())
    }

    /// Resident memory in MiB.
    ///
    /// # Errors
    ///
    /// As for [`cpu`](Self::cpu).
    pub fn resident(&self) -> Result<f64, Failure> {
        vitals::resident(self.id())
    }

    /// The most resident memory that it ever had, in MiB.
    ///
    /// # Errors
    ///
    /// As for [`cpu`](Self::cpu).
    pub fn resident_peak(&self) -> Result<f64, Failure> {
        vitals::resident_peak(self.id())
    }

    /// The end of what it has written to its log; empty if nothing.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = fs::read(self.directory.path().join(LOG)).unwrap_or_default();
        let end = log.split_at(log.len().saturating_sub(LAST_WORDS)).1;
        String::from_utf8_lossy(end).trim().to_owned()
    }

    fn id(&self) -> u32 {
        match &self.process {
            Process::Binary(child) => child.0.id(),
            Process::Prost(child) => child.id(),
        }
    }

    fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        match &mut self.process {
            Process::Binary(child) => child.0.try_wait(),
            Process::Prost(child) => child.ended(),
        }
    }

    fn await_port(&mut self, port: u16, begun: Instant) -> Result<(), Failure> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.ended()? {
                return Err(format!("ended with {status}: {}", self.last_words()).into());
            }
            if begun.elapsed() > START_PATIENCE {
                let words = self.last_words();
                return Err(format!("does not listen after {START_PATIENCE:?}: {words}").into());
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }
}

/// Two ports that nobody has. Somebody may take one before the collector does, which then fails.
fn free_ports() -> std::io::Result<[u16; 2]> {
    let listeners = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
    let [one, other] = &listeners;
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

const LOG: &str = "log";
/// Bytes of a log in an error.
const LAST_WORDS: usize = 2_000;
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a port: how exact the time to listening is.
const GLANCE: Duration = Duration::from_micros(200);

#[cfg(test)]
mod tests {
    use super::super::spans::Edit;
    use super::*;

    #[test]
    fn a_program_that_ends_is_an_error_that_has_its_last_words() {
        // `head` knows no `--config`.
        let program = Program::Binary("head".into());
        let setup = Setup {
            grpc_port: 0,
            http_port: 0,
            sink_port: 1,
            edit: Edit::None,
            gzip_out: false,
            limit_mib: None,
        };
        let error = Collector::start(&program, setup).unwrap_err().to_string();
        assert!(error.contains("exit status") && error.contains("config"), "{error}");
        let missing = Program::Binary("/no/such/program".into());
        let error = Collector::start(&missing, setup).unwrap_err().to_string();
        assert!(error.contains("/no/such/program"), "{error}");
    }
}
