//! What holds for a configuration of whatever text, for proptest, the corpus and the fuzz target.

use std::collections::BTreeMap;

use otlp_collector::config::{Config, ConfigError, Node, Source};

/// Reading ends, with settings or an error that has a text, and so does reading what stands below a component.
pub(crate) fn is_read_or_refused(text: &str) {
    let variable = |name: &str| match name {
        "TEXT" => Some(text.to_owned()),
        "LOOP" => Some("${LOOP}${TEXT}".to_owned()),
        _ => None,
    };
    match Config::load_with(&[Source::Yaml(text.to_owned())], &variable) {
        Ok(config) => {
            let settings = config.settings;
            let sections =
                [settings.receivers, settings.processors, settings.exporters, settings.extensions];
            sections.iter().flatten().for_each(|component| read_as_everything(&component.settings));
        }
        Err(error) => has_a_text(&error),
    }
}

fn read_as_everything(node: &Node) {
    let errors = [
        node.read::<String>().err(),
        node.read::<bool>().err(),
        node.read::<u8>().err(),
        node.read::<i64>().err(),
        node.read::<f64>().err(),
        node.read::<Vec<String>>().err(),
        node.read::<BTreeMap<String, u64>>().err(),
        node.read::<Option<BTreeMap<String, Vec<bool>>>>().err(),
    ];
    errors.iter().flatten().for_each(has_a_text);
}

fn has_a_text(error: &ConfigError) {
    assert!(!error.message().is_empty() && error.to_string().ends_with(error.message()));
}
