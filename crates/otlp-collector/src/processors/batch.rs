//! The processor `batch`: small requests become large ones, and everybody is told what became of his.

mod figures;
mod held;
mod node;
mod pace;
mod settings;

pub use self::settings::BatchProcessorSettings;

#[cfg(test)]
mod tests;
