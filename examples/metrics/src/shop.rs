//! A shop that counts what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, ObservableGauge, UpDownCounter};

/// How many customers came, by customer.
pub(crate) const VISITS: &str = "shop.visits";
/// How many orders were placed, by how they are paid.
pub(crate) const ORDERS: &str = "shop.orders";
/// How many customers are in the shop.
pub(crate) const PRESENT: &str = "shop.customers.present";
/// How long a checkout takes.
pub(crate) const DURATION: &str = "shop.checkout.duration";
/// How many parcels wait.
const PARCELS: &str = "shop.parcels.waiting";

/// The instruments are made once; they are cheap to clone and to use from many threads.
pub(crate) struct Shop {
    visits: Counter<u64>,
    orders: Counter<u64>,
    present: UpDownCounter<i64>,
    duration: Histogram<f64>,
    parcels: Arc<AtomicU64>,
    /// Its callback is what counts.
    _waiting: ObservableGauge<u64>,
}

impl Shop {
    pub(crate) fn open(meter: &Meter) -> Self {
        let parcels = Arc::new(AtomicU64::new(0));
        let waiting = Arc::clone(&parcels);
        Self {
            visits: meter
                .u64_counter(VISITS)
                .with_unit("{visit}")
                .with_description("Customers who came")
                .build(),
            orders: meter
                .u64_counter(ORDERS)
                .with_unit("{order}")
                .with_description("Orders that were placed")
                .build(),
            present: meter
                .i64_up_down_counter(PRESENT)
                .with_unit("{customer}")
                .with_description("Customers in the shop")
                .build(),
            duration: meter
                .f64_histogram(DURATION)
                .with_unit("s")
                .with_description("Duration of checkouts")
                .build(),
            parcels,
            // Runs at each collection, on the reader's thread.
            _waiting: meter
                .u64_observable_gauge(PARCELS)
                .with_unit("{parcel}")
                .with_description("Parcels that wait for a courier")
                .with_callback(move |gauge| gauge.observe(waiting.load(Ordering::Relaxed), &[]))
                .build(),
        }
    }

    pub(crate) fn serve(&self, customer: u64) {
        self.visits.add(1, &[KeyValue::new("customer.id", format!("c-{customer}"))]);
        self.present.add(1, &[]);
        self.check_out(customer);
        self.present.add(-1, &[]);
    }

    fn check_out(&self, customer: u64) {
        let begun = Instant::now();
        thread::sleep(Duration::from_millis(1 + customer % 4));
        let payment = if customer.is_multiple_of(3) { "cash" } else { "card" };
        let attributes = [KeyValue::new("payment", payment)];
        self.orders.add(1, &attributes);
        self.duration.record(begun.elapsed().as_secs_f64(), &attributes);
        self.parcels.fetch_add(1, Ordering::Relaxed);
        if customer % 70 == 69 {
            // The courier has come.
            self.parcels.store(0, Ordering::Relaxed);
        }
    }
}

/// What must have arrived when so many customers were served: the sum over all attributes, of histograms
/// the count.
pub(crate) fn totals(customers: u64) -> [(&'static str, f64); 4] {
    let customers = f64::from(u32::try_from(customers).unwrap_or(u32::MAX));
    [(VISITS, customers), (ORDERS, customers), (DURATION, customers), (PRESENT, 0.0)]
}
