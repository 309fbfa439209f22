//! Meters whose callbacks cannot hurt the others.
//!
//! The official SDK runs callbacks while it holds a lock that a panic poisons: not one metric would be
//! collected any more. Here each callback's panic ends in front of that lock, and is counted. The same lock
//! is taken to create an instrument: a callback that does so would wait for itself, and gets one that does
//! nothing instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, Callback, Counter, Gauge, Histogram, HistogramBuilder,
    InstrumentBuilder, InstrumentProvider, Meter, ObservableCounter, ObservableGauge,
    ObservableUpDownCounter, UpDownCounter,
};
use opentelemetry_sdk::metrics::{Instrument, Stream};
use parking_lot::Mutex;

use crate::foreign::caught;
use crate::hush::aloud;
use crate::notice::printable;
use crate::say::say;

/// What code does that the official SDK would run unguarded: callbacks and views of one provider.
#[derive(Debug, Default)]
pub(super) struct Panics {
    /// How many there were, and what the last one said.
    panics: Mutex<(u64, String)>,
    /// The threads on which a callback runs, while it does: one for each reader that is collecting.
    calling: Mutex<Vec<ThreadId>>,
    /// Whether people were told of a callback that creates instruments.
    told: AtomicBool,
}

impl Panics {
    fn add(&self, text: &str) {
        let text = printable(text);
        let mut panics = self.panics.lock();
        *panics = (panics.0.saturating_add(1), text);
    }

    pub(super) fn count(&self) -> u64 {
        self.panics.lock().0
    }

    /// What the last one said, if there were any since the count was `seen`, which is brought up to date.
    pub(super) fn since(&self, seen: &mut u64) -> Option<String> {
        let panics = self.panics.lock();
        let new = panics.0 > std::mem::replace(seen, panics.0);
        new.then(|| panics.1.clone())
    }

    /// A view whose panic means that it says nothing.
    pub(super) fn view(
        self: &Arc<Self>,
        view: impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static,
    ) -> impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static {
        let panics = Arc::clone(self);
        move |instrument| {
            caught(|| view(instrument)).unwrap_or_else(|text| {
                panics.add(&text);
                None
            })
        }
    }

    fn callback<M: 'static>(self: &Arc<Self>, callback: Callback<M>) -> Callback<M> {
        let panics = Arc::clone(self);
        Box::new(move |instrument: &dyn AsyncInstrument<M>| {
            panics.calling.lock().push(thread::current().id());
            // What collects is hushed; what the user's code says is not.
            let result = caught(|| aloud(|| callback(instrument)));
            panics.has_called();
            if let Err(text) = result {
                panics.add(&text);
            }
        })
    }

    /// Whether this thread is inside a callback of the provider, and so inside the official SDK's lock.
    fn is_calling(&self) -> bool {
        self.calling.lock().contains(&thread::current().id())
    }

    /// Once for each time that this thread has entered a callback.
    fn has_called(&self) {
        let this = thread::current().id();
        let mut calling = self.calling.lock();
        if let Some(at) = calling.iter().position(|thread| *thread == this) {
            calling.swap_remove(at);
        }
    }

    #[cold]
    fn tell_of_creating(&self, instrument: &str) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let instrument = printable(instrument);
        say!(
            Warn,
            %instrument,
            "a callback of an observable instrument creates an instrument, which the official metrics SDK \
             would wait for for ever: it gets one that measures nothing (told once)"
        );
    }
}

/// A meter of the official SDK.
pub(super) struct Guarded {
    meter: Meter,
    nothing: Meter,
    panics: Arc<Panics>,
}

impl Guarded {
    pub(super) fn meter(meter: Meter, panics: &Arc<Panics>) -> Meter {
        let (nothing, panics) = (Meter::new(Arc::new(Nothing)), Arc::clone(panics));
        Meter::new(Arc::new(Self { meter, nothing, panics }))
    }

    /// Who is to make the instrument with this name.
    fn maker(&self, name: &str) -> &Meter {
        if !self.panics.is_calling() {
            return &self.meter;
        }
        self.panics.tell_of_creating(name);
        &self.nothing
    }
}

/// Its instruments, which are the trait's defaults, do nothing.
struct Nothing;

impl InstrumentProvider for Nothing {}

/// Every kind of instrument: made by the SDK's meter, from the same settings.
macro_rules! instruments {
    ($($method:ident: $builder:ident => $instrument:ty),+ $(,)?) => { $(
        fn $method(&self, builder: $builder<'_, $instrument>) -> $instrument {
            let mut made = self.maker(&builder.name).$method(builder.name);
            (made.description, made.unit) = (builder.description, builder.unit);
            made.build()
        }
    )+ };
}

macro_rules! histograms {
    ($($method:ident => $instrument:ty),+ $(,)?) => { $(
        fn $method(&self, builder: HistogramBuilder<'_, $instrument>) -> $instrument {
            let mut made = self.maker(&builder.name).$method(builder.name);
            (made.description, made.unit) = (builder.description, builder.unit);
            made.boundaries = builder.boundaries;
            made.build()
        }
    )+ };
}

macro_rules! observables {
    ($($method:ident: $measured:ty => $instrument:ty),+ $(,)?) => { $(
        fn $method(
            &self,
            builder: AsyncInstrumentBuilder<'_, $instrument, $measured>,
        ) -> $instrument {
            let mut made = self.maker(&builder.name).$method(builder.name);
            (made.description, made.unit) = (builder.description, builder.unit);
            let guard = |callback| self.panics.callback(callback);
            made.callbacks = builder.callbacks.into_iter().map(guard).collect();
            made.build()
        }
    )+ };
}

impl InstrumentProvider for Guarded {
    instruments! {
        u64_counter: InstrumentBuilder => Counter<u64>,
        f64_counter: InstrumentBuilder => Counter<f64>,
        i64_up_down_counter: InstrumentBuilder => UpDownCounter<i64>,
        f64_up_down_counter: InstrumentBuilder => UpDownCounter<f64>,
        u64_gauge: InstrumentBuilder => Gauge<u64>,
        i64_gauge: InstrumentBuilder => Gauge<i64>,
        f64_gauge: InstrumentBuilder => Gauge<f64>,
    }
    histograms! {
        u64_histogram => Histogram<u64>,
        f64_histogram => Histogram<f64>,
    }
    observables! {
        u64_observable_counter: u64 => ObservableCounter<u64>,
        f64_observable_counter: f64 => ObservableCounter<f64>,
        i64_observable_up_down_counter: i64 => ObservableUpDownCounter<i64>,
        f64_observable_up_down_counter: f64 => ObservableUpDownCounter<f64>,
        u64_observable_gauge: u64 => ObservableGauge<u64>,
        i64_observable_gauge: i64 => ObservableGauge<i64>,
        f64_observable_gauge: f64 => ObservableGauge<f64>,
    }
}
