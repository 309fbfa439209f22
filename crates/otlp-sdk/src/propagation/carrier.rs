//! Header lines as a server sees them: repeated names in order, names in any case. For tests.

use opentelemetry::propagation::{Extractor, Injector};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines(pub(super) Vec<(String, String)>);

impl Lines {
    pub(super) fn new<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(lines.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a header that stands at most once.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let values = self.get_all(name).unwrap_or_default();
        assert!(values.len() <= 1, "{name} was sent {} times", values.len());
        values.first().copied()
    }
}

impl Extractor for Lines {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.first().copied()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let lines = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let values: Vec<_> = lines.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then_some(values)
    }
}

impl Injector for Lines {
    fn set(&mut self, key: &str, value: String) {
        self.0.push((key.to_owned(), value));
    }
}
