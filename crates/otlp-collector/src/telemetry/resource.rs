//! Who the collector says it is.

use std::collections::BTreeMap;

use super::settings::ResourceSettings;

/// The attributes of the process: `service.name`, `service.version`, `service.instance.id`, and what is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource(BTreeMap<String, String>);

impl Resource {
    /// The defaults, with what is set above them.
    pub(super) fn new(settings: &ResourceSettings) -> Self {
        let mut all = BTreeMap::from([
            ("service.name".to_owned(), env!("CARGO_PKG_NAME").to_owned()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id".to_owned(), instance_id()),
        ]);
        for (key, value) in &settings.attributes {
            match value {
                Some(value) => all.insert(key.clone(), value.clone()),
                None => all.remove(key),
            };
        }
        Self(all)
    }

    /// Keys and values, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// A random UUID (version 4).
fn instance_id() -> String {
    let random = rand::random::<u128>();
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    let mut out = String::with_capacity(36);
    for (at, c) in text.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_random_uuid_of_version_4() {
        let (one, other) = (instance_id(), instance_id());
        assert_ne!(one, other);
        let pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
        assert!(regex::Regex::new(pattern).unwrap().is_match(&one), "{one}");
    }

    #[test]
    fn what_is_set_goes_above_the_defaults_and_null_takes_one_away() {
        let attributes = vec![
            ("service.name".to_owned(), Some("edge".to_owned())),
            ("service.instance.id".to_owned(), None),
        ];
        let resource = Resource::new(&ResourceSettings { attributes });
        let all: Vec<_> = resource.iter().collect();
        assert_eq!(all, [("service.name", "edge"), ("service.version", env!("CARGO_PKG_VERSION"))]);
    }
}
