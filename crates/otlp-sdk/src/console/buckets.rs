//! The buckets of histograms as intervals, and the quantiles of summaries.

use std::fmt::{self, Display, Write as _};

use otlp_core::wire::WireError;
use otlp_core::wire::metrics::{
    BucketsView, ExponentialHistogramPointView, HistogramPointView, SummaryPointView,
};

/// `(5, 10] 4, (10, ∞) 1`: the buckets that have values.
pub(super) struct ExplicitBuckets<'p, 'a>(pub(super) &'p HistogramPointView<'a>);

impl Display for ExplicitBuckets<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List::new(f);
        let (mut bounds, mut lower) = (self.0.explicit_bounds(), f64::NEG_INFINITY);
        for count in self.0.bucket_counts() {
            // Behind the last bound there is one bucket more.
            let upper = bounds.next().transpose().map(|bound| bound.unwrap_or(f64::INFINITY));
            let (Some(count), Some(upper)) = (list.readable(count)?, list.readable(upper)?) else {
                return Ok(());
            };
            list.bucket(Interval::UpTo(lower, upper), count)?;
            lower = upper;
        }
        Ok(())
    }
}

/// `[-2.0, -1.0) 1, 0 3, (1.0, 1.41421] 2`: the buckets that have values.
pub(super) struct ExponentialBuckets<'p, 'a>(pub(super) &'p ExponentialHistogramPointView<'a>);

impl Display for ExponentialBuckets<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (point, mut list) = (self.0, List::new(f));
        let side = |list: &mut List<'_, '_>, buckets: Option<BucketsView<'_>>, shown: Side| {
            buckets.map_or(Ok(()), |it| list.side(&it, point.scale(), shown))
        };
        side(&mut list, point.negative(), Interval::from_negative)?;
        let zero = Interval::Around(point.zero_threshold());
        list.bucket(zero, point.zero_count())?;
        side(&mut list, point.positive(), Interval::UpTo)
    }
}

/// `0.5 12.0, 0.99 80.0`: each quantile with the value there.
pub(super) struct Quantiles<'p, 'a>(pub(super) &'p SummaryPointView<'a>);

impl Display for Quantiles<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List::new(f);
        for quantile in self.0.quantiles() {
            let Some(at) = list.readable(quantile)? else { return Ok(()) };
            list.item(format_args!("{:?} {:?}", at.quantile(), at.value()))?;
        }
        Ok(())
    }
}

/// What the bounds of a bucket, of which the second is further from zero, are shown as.
type Side = fn(f64, f64) -> Interval;

/// The values that a bucket is for.
#[derive(Clone, Copy)]
enum Interval {
    /// Above the first, up to the second.
    UpTo(f64, f64),
    /// From the first on, below the second.
    From(f64, f64),
    /// No further from zero than this.
    Around(f64),
}

impl Interval {
    fn from_negative(near: f64, far: f64) -> Self {
        Self::From(-far, -near)
    }
}

impl Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UpTo(lower, upper) if upper == f64::INFINITY => {
                write!(f, "({}, ∞)", Bound(lower))
            }
            Self::UpTo(lower, upper) => write!(f, "({}, {}]", Bound(lower), Bound(upper)),
            Self::From(lower, upper) if lower == f64::NEG_INFINITY => {
                write!(f, "(-∞, {})", Bound(upper))
            }
            Self::From(lower, upper) => write!(f, "[{}, {})", Bound(lower), Bound(upper)),
            Self::Around(0.0) => f.write_char('0'),
            Self::Around(bound) => write!(f, "[{}, {}]", Bound(-bound), Bound(bound)),
        }
    }
}

/// A bound with six digits: those of exponential buckets have no end.
struct Bound(f64);

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == f64::NEG_INFINITY {
            return f.write_str("-∞");
        }
        let rounded = format!("{:.5e}", self.0).parse().unwrap_or(self.0);
        // `Debug` writes very large and very small ones short.
        write!(f, "{rounded:?}")
    }
}

/// Items with commas between them; bytes that cannot be read end it with a mark.
struct List<'l, 'f> {
    out: &'l mut fmt::Formatter<'f>,
    is_empty: bool,
}

impl<'l, 'f> List<'l, 'f> {
    fn new(out: &'l mut fmt::Formatter<'f>) -> Self {
        Self { out, is_empty: true }
    }

    fn item(&mut self, item: impl Display) -> fmt::Result {
        let separator = if std::mem::take(&mut self.is_empty) { "" } else { ", " };
        write!(self.out, "{separator}{item}")
    }

    /// A bucket, if it has values.
    fn bucket(&mut self, interval: Interval, count: u64) -> fmt::Result {
        if count == 0 { Ok(()) } else { self.item(format_args!("{interval} {count}")) }
    }

    /// The buckets on one side of zero, from its lowest index on.
    fn side(&mut self, buckets: &BucketsView<'_>, scale: i32, shown: Side) -> fmt::Result {
        let mut index = f64::from(buckets.offset());
        for count in buckets.bucket_counts() {
            let Some(count) = self.readable(count)? else { return Ok(()) };
            let next = index + 1.0;
            self.bucket(shown(bound(index, scale), bound(next, scale)), count)?;
            index = next;
        }
        Ok(())
    }

    fn readable<T>(&mut self, read: Result<T, WireError>) -> Result<Option<T>, fmt::Error> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(_) => self.item("<not valid OTLP>").map(|()| None),
        }
    }
}

/// `base^index`, where base is `2^(2^-scale)`.
fn bound(index: f64, scale: i32) -> f64 {
    // A scale from elsewhere may be far below zero, where the base is no number any more.
    if index == 0.0 { 1.0 } else { (index * (-f64::from(scale)).exp2()).exp2() }
}
