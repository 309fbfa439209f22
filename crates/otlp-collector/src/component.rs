//! What the parts of a collector have in common: what each kind of component is before it runs, and while it
//! does.
//!
//! A component exists in two states. Read from its settings it is a [`Receiver`], a [`Processor`], a
//! [`Destination`] (what the Go collector calls an exporter), a [`Connector`] or an [`Extension`]: checked, and
//! without a socket, a file or a task. The [engine](crate::engine) starts it once for each place in which the
//! configuration uses it, and gets what runs there: [`Running`], or a [`Node`] that batches pass through.
//!
//! An exporter has no running form of its own: every destination is driven by a
//! [`Sender`](crate::sending::Sender), so that queue, batches, retries and the account are the same for all.

mod host;

use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Deadline, HeaderProvider};

use crate::config::ConfigError;
use crate::consumer::{Consumer, Consumers, SharedConsumer};
use crate::receivers::otlp::Authenticator;
use crate::sending::SendingSettings;
use crate::telemetry::Measurements;

pub use self::host::{Host, Provided};

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a component does not start. Its text names the key that is wrong, if one is.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Takes telemetry in: the settings of a receiver, read and checked.
pub trait Receiver: Debug + Send + Sync {
    /// The names of the extensions that it asks for, each with the key that names it, such as
    /// `protocols::grpc::auth`: those that do not run are refused before anything starts.
    fn needs(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Binds and serves, until it is stopped.
    ///
    /// It is started once, with what takes each signal: a signal without a consumer is in no pipeline.
    ///
    /// # Errors
    ///
    /// What it needs is not to be had: an address, a certificate, an authenticator.
    fn start<'a>(
        &'a self,
        host: &'a Host,
        consumers: Consumers,
    ) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>>;
}

/// Changes or limits what passes: the settings of a processor, read and checked.
pub trait Processor: Debug + Send + Sync {
    /// Whether it can stand in a pipeline of this signal.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it for this signal, and what is accepted.
    fn check(&self, signal: Signal) -> Result<(), ConfigError> {
        let _ = signal;
        Ok(())
    }

    /// Starts it in one pipeline, in front of `next`. Called within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// What it needs is not to be had.
    fn start(
        &self,
        host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError>;
}

/// Where telemetry is sent: the settings of an exporter, read and checked.
pub trait Destination: Debug + Send + Sync {
    /// The names of the extensions that it asks for, each with the key that names it, such as `auth`: those that do
    /// not run are refused before anything starts.
    fn needs(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Opens it for one signal. All pipelines of the signal that name it share what is opened. Called within a
    /// Tokio runtime.
    ///
    /// # Errors
    ///
    /// What it needs is not to be had: a file, a certificate, credentials.
    fn open(&self, host: &Host, signal: Signal) -> Result<BoxedExporter, BoxError>;

    /// How it is sent to: queue, retries, time limit.
    fn sending(&self) -> SendingSettings;
}

/// Ends pipelines and begins others: the settings of a connector, read and checked.
pub trait Connector: Debug + Send + Sync {
    /// Which signals come out when this one goes in; none if it does not take this one.
    fn outputs(&self, signal: Signal) -> Vec<Signal>;

    /// Whether all that goes in comes out once in each pipeline behind it, or is in its
    /// [tally](Node::tally): then the account of the collector checks it.
    fn hands_on_all(&self) -> bool {
        false
    }

    /// Starts it for what goes in, in front of what takes each signal that comes out. Called within a Tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// What it needs is not to be had.
    fn start(
        &self,
        host: &Host,
        signal: Signal,
        next: &Consumers,
    ) -> Result<Arc<dyn Node>, BoxError>;
}

/// Stands beside the pipelines: the settings of an extension, read and checked.
pub trait Extension: Debug + Send + Sync {
    /// What receivers may ask to check credentials.
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        None
    }

    /// What exporters may ask for credentials.
    fn credentials(&self) -> Option<HeaderProvider> {
        None
    }

    /// Starts it, before all other components.
    ///
    /// # Errors
    ///
    /// What it needs is not to be had: an address, a file.
    fn start<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>>;
}

/// A component that runs.
pub trait Running: Debug + Send + Sync {
    /// Ends it: nothing new is begun, what is under way has until `deadline`. A second call does nothing.
    fn stop(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        let _ = deadline;
        Box::pin(std::future::ready(()))
    }

    /// Writes down what it has counted. Called seldom, and from any thread.
    fn measure(&self, measurements: &mut Measurements) {
        let _ = measurements;
    }

    /// Where it listens: what for (`grpc`), and the address with the port that was taken for port 0.
    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        Vec::new()
    }
}

/// A component that batches pass through.
pub trait Node: Consumer + Running {
    /// What it has done to the items that it was given, apart from handing them on.
    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// What a node has done to items, since its start, so that an account can be drawn up behind it: of all that it
/// has answered for as taken, everything went on but what was `dropped` or is `held`; and of what it has refused,
/// `repeatable` went on nevertheless.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// What ended here and was answered for as taken, by reason, such as `filtered`.
    pub dropped: Vec<(&'static str, u64)>,
    /// What went on, and whose sender was told to send it again: it may arrive twice.
    pub repeatable: u64,
    /// What was answered for as taken and has neither gone on nor ended.
    pub held: u64,
}

impl Tally {
    /// Nothing but items that ended here, for one reason.
    #[must_use]
    pub fn of_dropped(reason: &'static str, items: u64) -> Self {
        Self { dropped: vec![(reason, items)], ..Self::default() }
    }
}
