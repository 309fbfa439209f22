//! sdk

mod clock;
mod console;
mod notice;
mod pipeline;
pub mod propagation;
pub mod resource;
mod sync;
pub mod testing;
pub mod trace;
mod value;

pub use self::console::ConsoleExporter;
