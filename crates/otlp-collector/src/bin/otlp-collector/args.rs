//! The command line: that of the Go collector, and what is ours.

use std::time::Duration;

use clap::{ArgAction, Args as _Args, Parser, Subcommand, ValueEnum};
use otlp_collector::config::{ConfigError, Secrets, Source, parse_duration};

/// A collector that receives, processes and exports OTLP.
#[derive(Debug, Parser)]
#[command(name = "otlp-collector", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) running: Running,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks the configuration without running the collector
    Validate {
        #[command(flatten)]
        reading: Reading,
    },
    /// Prints the components that a configuration may name
    Components,
    /// Prints the configuration, merged and with its references replaced
    #[command(alias = "print-initial-config")]
    PrintConfig {
        #[command(flatten)]
        reading: Reading,
        /// Whether secrets are shown
        #[arg(long, value_enum, default_value_t = PrintMode::Redacted)]
        mode: PrintMode,
        /// Whether the configuration is checked before
        #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
        validate: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PrintMode {
    /// Secrets are hidden
    Redacted,
    /// Secrets are shown
    Unredacted,
}

impl From<PrintMode> for Secrets {
    fn from(mode: PrintMode) -> Self {
        match mode {
            PrintMode::Redacted => Self::Hidden,
            PrintMode::Unredacted => Self::Shown,
        }
    }
}

/// Where the configuration comes from.
#[derive(Debug, _Args)]
pub(crate) struct Reading {
    /// A configuration: a path, file:PATH, env:VARIABLE or yaml:TEXT; several are merged, later over earlier
    #[arg(long, value_name = "SOURCE")]
    config: Vec<String>,
    /// A value over all of them, such as processors.batch.timeout=2s
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Taken for the sake of the Go collector's command lines: it has no effect
    #[arg(long, value_name = "GATES", hide = true)]
    pub(crate) feature_gates: Option<String>,
}

impl Reading {
    /// What is to be read, in order.
    pub(crate) fn sources(&self) -> Result<Vec<Source>, ConfigError> {
        if self.config.is_empty() {
            let message = "at least one --config is needed, such as --config collector.yaml";
            return Err(ConfigError::new(message));
        }
        let configs = self.config.iter().map(|text| text.parse());
        configs.chain(self.set.iter().map(|text| Source::set(text))).collect()
    }
}

/// How the collector runs.
#[derive(Debug, _Args)]
pub(crate) struct Running {
    /// Most bytes of telemetry that may be here at once, in MiB [default: 64, or 40 % of the memory if that is less]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) memory_budget_mib: Option<u32>,
    /// How long the end may take: what is not sent by then is given up, and counted
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = time)]
    pub(crate) shutdown_timeout: Duration,
}

fn time(text: &str) -> Result<Duration, ConfigError> {
    parse_duration(text)
}
