//! What `components` prints.

use std::fmt::Write as _;

use otlp_collector::registry::{Factory, Registry};

/// The components of a registry, as YAML.
pub(crate) fn yaml(registry: &Registry) -> String {
    let mut out = format!(
        "buildinfo:\n    command: otlp-collector\n    version: {}\n",
        env!("CARGO_PKG_VERSION")
    );
    section(&mut out, "receivers", &registry.receivers);
    section(&mut out, "processors", &registry.processors);
    section(&mut out, "exporters", &registry.exporters);
    section(&mut out, "connectors", &registry.connectors);
    section(&mut out, "extensions", &registry.extensions);
    out
}

fn section<C: ?Sized>(out: &mut String, name: &str, factories: &[Factory<C>]) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{name}:");
    for factory in factories {
        let mut types = factory.types().iter();
        let _ = writeln!(out, "    - name: {}", types.next().copied().unwrap_or_default());
        let aliases: Vec<_> = types.copied().collect();
        if !aliases.is_empty() {
            let _ = writeln!(out, "      aliases: [{}]", aliases.join(", "));
        }
    }
}
