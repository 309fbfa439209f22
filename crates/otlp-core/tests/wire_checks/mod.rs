//! Properties of the reading half on any bytes, with prost and opentelemetry-proto as the oracle.
//!
//! One function per property. Proptest, the corpus replay and the fuzz targets all call these, so
//! a fuzzer's finding and a failing test are the same thing.

pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod response;
pub(crate) mod scan;
pub(crate) mod split;
pub(crate) mod views;
