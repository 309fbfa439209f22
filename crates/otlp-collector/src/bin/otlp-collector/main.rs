//! The collector as a program: `otlp-collector --config collector.yaml`.

mod args;
mod inventory;
mod run;
mod signals;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use otlp_collector::config::Config;
use otlp_collector::engine::Blueprint;
use otlp_collector::registry::Registry;
use otlp_collector::telemetry::TelemetrySettings;

use self::args::{Args, Command, PrintMode, Reading};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // Help and the version are no errors, and say so.
        Err(error) => error.exit(),
    };
    let done = match args.command {
        None => run::run(&args.reading, &args.running),
        Some(Command::Validate { reading }) => validate(&reading),
        Some(Command::Components) => print(&inventory::yaml(&Registry::standard())),
        Some(Command::PrintConfig { reading, mode, validate }) => {
            print_config(&reading, mode, validate)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("Error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends early: one sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A configuration in which everything was checked.
struct Checked {
    config: Config,
    blueprint: Blueprint,
    telemetry: TelemetrySettings,
}

/// Reads a configuration and checks it as far as that is possible without opening anything. What is most likely
/// not meant is said with the mistake, of which it may be the reason.
fn checked(reading: &Reading) -> Result<Checked, Failure> {
    let mut warnings = Vec::new();
    check(reading, &mut warnings).inspect_err(|_| warn(&warnings))
}

fn check(reading: &Reading, warnings: &mut Vec<String>) -> Result<Checked, Failure> {
    let config = load(reading, warnings)?;
    let blueprint = Blueprint::new(&config.settings, &Registry::standard())?;
    let telemetry = TelemetrySettings::read(config.settings.service.telemetry.as_ref())?;
    Ok(Checked { config, blueprint, telemetry })
}

fn load(reading: &Reading, warnings: &mut Vec<String>) -> Result<Config, Failure> {
    let sources = reading.sources()?;
    // A value that is no text counts as not set.
    Ok(Config::load_noting(&sources, &|name| std::env::var(name).ok(), warnings)?)
}

fn validate(reading: &Reading) -> Result<(), Failure> {
    let Checked { config, telemetry, .. } = checked(reading)?;
    warn(&config.warnings);
    warn(&telemetry.warnings());
    Ok(())
}

fn print_config(reading: &Reading, mode: PrintMode, validate: bool) -> Result<(), Failure> {
    let config = match validate {
        true => checked(reading)?.config,
        false => {
            let mut warnings = Vec::new();
            load(reading, &mut warnings).inspect_err(|_| warn(&warnings))?
        }
    };
    print(&config.to_yaml(mode.into()))
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        say(&format!("Warning: {warning}"));
    }
}

/// Writes to the standard output. That nobody reads it any more, as behind `head`, is no error.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes to the standard error, which may be closed.
fn say(text: &impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
