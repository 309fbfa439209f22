//! `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` (trap 11).

use opentelemetry::KeyValue;
use otlp_core::export::EnvReader;

use super::{Resource, SERVICE_NAME};

/// What the environment says; `OTEL_SERVICE_NAME` beats a `service.name` in the list.
pub(super) fn resource(env: &mut EnvReader<'_>) -> Resource {
    let listed = env.resource_attributes();
    let listed = listed.into_iter().map(|(key, value)| KeyValue::new(key, value));
    let service_name = env.string(SERVICE_NAME_VARIABLE);
    let service_name = service_name.map(|name| KeyValue::new(SERVICE_NAME, name.to_owned()));
    Resource::new(listed.chain(service_name))
}

const SERVICE_NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Resource, Vec<String>) {
        let env = otlp_core::export::Env::from_pairs(variables.iter().copied());
        let mut reader = env.reader();
        let resource = resource(&mut reader);
        (resource, reader.into_warnings().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn attributes_are_percent_decoded_and_the_last_of_a_key_counts() {
        // Trap 11.
        for (text, expected) in [
            ("a=1", vec![("a", "1")]),
            (" a = 1 , b= 2 ", vec![("a", "1"), ("b", "2")]),
            ("a=1%2C2%3d3,b=50%25", vec![("a", "1,2=3"), ("b", "50%")]),
            ("k%20k=gr%C3%BCn", vec![("k k", "grün")]),
            ("k=%20x%20", vec![("k", " x ")]),
            ("a=1,a=2", vec![("a", "2")]),
            ("a=", vec![("a", "")]),
            ("a=1,,b=2,", vec![("a", "1"), ("b", "2")]),
            ("a=ü", vec![("a", "ü")]),
        ] {
            let (resource, warnings) = read(&[("OTEL_RESOURCE_ATTRIBUTES", text)]);

            let found: Vec<_> = resource.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let found: Vec<_> = found.iter().map(|(k, v)| (*k, v.as_ref())).collect();
            assert_eq!(found, expected, "{text:?}");
            assert_eq!(warnings, [""; 0], "{text:?}");
        }
    }

    #[test]
    fn one_bad_pair_discards_the_whole_variable_with_a_warning() {
        for (pair, problem) in [
            ("b", "pair 2 has no `=`"),
            ("=2", "pair 2 has no key"),
            ("b=2=3", "pair 2 has a second `=`"),
            ("b=%", "pair 2 has a value that is not percent-encoded UTF-8"),
            ("b=%2", "pair 2 has a value that is not percent-encoded UTF-8"),
            ("b=%zz", "pair 2 has a value that is not percent-encoded UTF-8"),
            ("b=%2\u{e9}", "pair 2 has a value that is not percent-encoded UTF-8"),
            ("b=%ff", "pair 2 has a value that is not percent-encoded UTF-8"),
            ("%ff=2", "pair 2 has a key that is not percent-encoded UTF-8"),
        ] {
            let text = format!("a=1,{pair},c=3");
            let (resource, warnings) = read(&[("OTEL_RESOURCE_ATTRIBUTES", text.as_str())]);

            assert!(resource.is_empty(), "{text:?}");
            let expected = format!(
                "OTEL_RESOURCE_ATTRIBUTES {problem}; accepted: key=value,key=value with \
                 `,` `=` `%` inside them as %2C %3D %25; using none of it"
            );
            assert_eq!(warnings, [expected]);
        }
    }

    #[test]
    fn the_service_name_variable_beats_the_attribute_and_survives_a_bad_list() {
        for (attributes, name, expected) in [
            ("service.name=list", "own", Some("own")),
            ("service.name=list", "", Some("list")),
            ("service.name=list", "  ", Some("list")),
            ("broken", "own", Some("own")),
            ("", "", None),
        ] {
            let variables = [("OTEL_RESOURCE_ATTRIBUTES", attributes), ("OTEL_SERVICE_NAME", name)];
            let (resource, _) = read(&variables);

            let found = resource.get(SERVICE_NAME).map(|name| name.as_str());
            assert_eq!(found.as_deref(), expected, "{attributes:?} {name:?}");
        }
    }
}
