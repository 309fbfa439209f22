//! The processor `memory_limiter`: what comes is refused while this process has too much memory.

mod checker;
mod node;
mod settings;

pub use self::settings::MemoryLimiterSettings;

pub(crate) use self::node::MemoryLimiter;

#[cfg(test)]
mod tests;
