//! Who wins, what is merged, what is detected here and where nothing is to be found.

use std::fs;

use opentelemetry_sdk::resource::ResourceDetector as OfficialDetector;
use otlp_core::export::Env;

use super::*;

fn text<'a>(resource: &'a Resource, key: &str) -> Option<Cow<'a, str>> {
    resource.get(key).map(Value::as_str)
}

fn no_env() -> ResourceBuilder {
    Resource::builder().with_env(Env::empty())
}

fn keys(resource: &Resource) -> Vec<&str> {
    resource.iter().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn the_defaults_name_the_service_after_the_executable_and_us_as_the_sdk() {
    // S1, S2.
    let (resource, warnings) = no_env().build_with_warnings();

    let executable = std::env::current_exe().unwrap();
    let executable = executable.file_name().unwrap().to_str().unwrap();
    let sdk = ["telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version"];
    assert_eq!(text(&resource, "service.name").unwrap(), format!("unknown_service:{executable}"));
    assert_eq!(
        sdk.map(|key| text(&resource, key).unwrap()),
        ["rust", "otlp-rs", env!("CARGO_PKG_VERSION")]
    );
    assert_eq!((resource.len(), resource.schema_url()), (4, None));
    assert!(warnings.is_empty());
}

#[test]
fn the_service_name_has_the_order_code_variable_list_detector_default() {
    // Trap 11. Each row has one source less.
    for (code, variable, list, detector, expected) in [
        (Some("code"), Some("var"), Some("list"), Some("det"), "code"),
        (None, Some("var"), Some("list"), Some("det"), "var"),
        (None, None, Some("list"), Some("det"), "list"),
        (None, None, None, Some("det"), "det"),
        (Some("code"), None, None, None, "code"),
        (Some(""), Some("var"), None, None, ""),
    ] {
        let list =
            list.map(|name| ("OTEL_RESOURCE_ATTRIBUTES", format!("service.name={name},x=list")));
        let variable = variable.map(|name| ("OTEL_SERVICE_NAME", name.to_owned()));
        let mut builder = Resource::builder();
        // Code comes first here and wins all the same.
        if let Some(code) = code {
            builder = builder.with_service_name(code);
        }
        let has_list = list.is_some();
        builder = builder.with_env(Env::from_pairs(list.into_iter().chain(variable)));
        if let Some(name) = detector {
            builder = builder.with_detector(move || {
                Resource::new([KeyValue::new("service.name", name), KeyValue::new("x", "det")])
            });
        }

        let resource = builder.build();

        assert_eq!(text(&resource, "service.name").unwrap(), expected);
        let x = if has_list { Some("list") } else { detector.map(|_| "det") };
        assert_eq!(text(&resource, "x").as_deref(), x);
    }
}

#[test]
fn a_bad_attribute_variable_gives_a_warning_and_no_attribute() {
    let env = Env::from_pairs([("OTEL_RESOURCE_ATTRIBUTES", "a=1,b")]);

    let (resource, warnings) = Resource::builder().with_env(env).build_with_warnings();

    assert_eq!(resource.len(), 4);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].setting, "OTEL_RESOURCE_ATTRIBUTES");
}

#[test]
fn an_empty_builder_has_neither_defaults_nor_environment() {
    assert_eq!(Resource::builder_empty().build(), Resource::empty());
    let env = Env::from_pairs([("OTEL_SERVICE_NAME", "x")]);
    assert_eq!(keys(&Resource::builder_empty().with_env(env).build()), ["service.name"]);
}

#[test]
fn keys_are_unique_and_the_last_value_stays() {
    let resource = Resource::builder_empty()
        .with_attributes([KeyValue::new("a", 1), KeyValue::new("", 9), KeyValue::new("a", 2)])
        .with_attribute(KeyValue::new("b", 1))
        .with_attribute(KeyValue::new("b", true))
        .build();

    assert_eq!(resource, Resource::new([KeyValue::new("b", true), KeyValue::new("a", 2)]));
}

#[test]
fn merging_takes_the_updating_side_even_when_its_value_is_empty() {
    // S3.
    let old = Resource::new([KeyValue::new("a", "old"), KeyValue::new("b", "old")]);
    let updating = Resource::new([KeyValue::new("a", ""), KeyValue::new("c", "new")]);

    let merged = old.merge(&updating).unwrap();

    let expected = [KeyValue::new("a", ""), KeyValue::new("b", "old"), KeyValue::new("c", "new")];
    assert_eq!(merged, Resource::new(expected));
}

#[test]
fn merging_keeps_a_schema_url_that_is_not_contradicted() {
    // S3.
    let resource =
        |url: &'static str| Resource::new([KeyValue::new("k", url)]).with_schema_url(url);
    for (old, updating, expected) in
        [("", "", None), ("u", "", Some("u")), ("", "u", Some("u")), ("u", "u", Some("u"))]
    {
        let merged = resource(old).merge(&resource(updating)).unwrap();
        assert_eq!(merged.schema_url(), expected);
    }

    let conflict = resource("u").merge(&resource("v")).unwrap_err();
    assert_eq!(conflict.schema_urls(), ("u", "v"));
    assert_eq!(conflict.into_merged(), Resource::new([KeyValue::new("k", "v")]));
}

#[test]
fn a_builder_with_two_schemas_warns_and_leaves_the_schema_out() {
    let (resource, warnings) = no_env()
        .with_detector(HostDetector::new())
        .with_schema_url("https://example.com/own/1")
        .with_attribute(KeyValue::new("a", 1))
        .build_with_warnings();

    assert_eq!(resource.schema_url(), None);
    assert!(resource.get("a").is_some() && resource.get("host.arch").is_some());
    let expected = format!(
        "resource schema URL is \"{SCHEMA_URL}\" in one source and \"https://example.com/own/1\" \
         in another; accepted: one for all sources; using none"
    );
    assert_eq!(warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn detectors_find_this_host_system_and_process() {
    let detectors: Vec<Box<dyn ResourceDetector>> = vec![
        Box::new(HostDetector::new()),
        Box::new(OsDetector::new()),
        Box::new(ProcessDetector::new()),
    ];
    let (resource, warnings) =
        Resource::builder_empty().with_detectors(detectors).build_with_warnings();

    assert!(warnings.is_empty());
    assert_eq!(resource.schema_url(), Some(SCHEMA_URL));
    assert_eq!(resource.get("process.pid"), Some(&Value::I64(std::process::id().into())));
    let executable = std::env::current_exe().unwrap();
    assert_eq!(text(&resource, "process.executable.path").unwrap(), executable.to_str().unwrap());
    assert!(resource.get("host.arch").is_some() && resource.get("os.type").is_some());
    // Secrets stand on command lines.
    assert_eq!(resource.get("process.command_args"), None);
    #[cfg(target_os = "linux")]
    {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(text(&resource, "host.name").unwrap(), name.trim());
        assert_eq!(text(&resource, "os.type").unwrap(), "linux");
    }
}

#[test]
fn the_command_line_is_there_on_request() {
    let resource = ProcessDetector::new().with_command_args().detect();

    let Some(Value::Array(opentelemetry::Array::String(args))) =
        resource.get("process.command_args")
    else {
        panic!("a list of strings: {resource:?}")
    };
    assert_eq!(args.len(), std::env::args().count());
}

#[test]
#[cfg(unix)]
fn detectors_read_the_files_under_their_root() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("etc/hostname", "  \n");
    write("proc/sys/kernel/hostname", "node-7\n");
    write("etc/machine-id", "uninitialized\n");
    write("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n");
    write("usr/lib/os-release", "NAME=\"Some Linux\"\nVERSION_ID=7\nPRETTY_NAME='Some Linux 7'\n");

    let host = HostDetector::with_root(root.path()).detect();
    let os = OsDetector::with_root(root.path()).detect();

    assert_eq!(text(&host, "host.name").unwrap(), "node-7");
    assert_eq!(text(&host, "host.id").unwrap(), "0123456789abcdef0123456789abcdef");
    let os = ["os.name", "os.version", "os.description"].map(|key| text(&os, key).unwrap());
    assert_eq!(os, ["Some Linux", "7", "Some Linux 7"]);
}

#[test]
#[cfg(unix)]
fn missing_empty_binary_and_huge_files_are_not_an_error() {
    // S4.
    let root = tempfile::tempdir().unwrap();
    let always =
        |found: Resource| keys(&found).len() == 1 && found.schema_url() == Some(SCHEMA_URL);
    assert!(always(HostDetector::with_root(root.path().join("none")).detect()));
    assert!(always(OsDetector::with_root(root.path().join("none")).detect()));

    fs::create_dir(root.path().join("etc")).unwrap();
    for content in [Vec::new(), vec![0xff, 0xfe], vec![b'x'; 1 << 20]] {
        for file in ["etc/hostname", "etc/machine-id", "etc/os-release"] {
            fs::write(root.path().join(file), &content).unwrap();
        }
        assert!(always(HostDetector::with_root(root.path()).detect()));
        assert!(always(OsDetector::with_root(root.path()).detect()));
    }
}

/// As users have them for the official SDK.
struct Official;

impl OfficialDetector for Official {
    fn detect(&self) -> opentelemetry_sdk::Resource {
        opentelemetry_sdk::Resource::builder_empty()
            .with_schema_url([KeyValue::new("cloud.region", "eu-north-1")], SCHEMA_URL)
            .build()
    }
}

#[test]
fn resources_of_the_official_sdk_go_both_ways() {
    let resource = no_env().with_detector(|| Official.detect()).with_service_name("s").build();

    assert_eq!(text(&resource, "cloud.region").unwrap(), "eu-north-1");
    assert_eq!(resource.schema_url(), Some(SCHEMA_URL));
    assert_eq!(Resource::from(opentelemetry_sdk::Resource::from(&resource)), resource);

    let without_schema = Resource::new([KeyValue::new("a", 1)]);
    assert_eq!(Resource::from(&opentelemetry_sdk::Resource::from(&without_schema)), without_schema);
}

#[test]
fn the_encoded_resource_is_what_prost_reads() {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
    use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
    use prost::Message as _;

    use opentelemetry::Array;

    let strings = Array::String(vec!["x".into(), "".into()]);
    let resource = Resource::new([
        KeyValue::new("b", true),
        KeyValue::new("f", 0.5),
        KeyValue::new("i", -7),
        KeyValue::new("l", Value::Array(strings)),
        KeyValue::new("n", Value::Array(Array::I64(vec![1, 2]))),
        KeyValue::new("s", "ü".repeat(300)),
    ]);

    let decoded = WireResource::decode(resource.encode()).unwrap();

    assert_eq!(decoded.dropped_attributes_count, 0);
    let text = |value: Wire| match value {
        Wire::ArrayValue(list) => {
            let values = list.values.into_iter().map(|value| format!("{:?}", value.value.unwrap()));
            values.collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    };
    let attributes: Vec<_> = decoded
        .attributes
        .into_iter()
        .map(|attribute| (attribute.key, text(attribute.value.unwrap().value.unwrap())))
        .collect();
    let long = format!("StringValue({:?})", "ü".repeat(300));
    let expected = [
        ("b", "BoolValue(true)"),
        ("f", "DoubleValue(0.5)"),
        ("i", "IntValue(-7)"),
        ("l", "StringValue(\"x\") StringValue(\"\")"),
        ("n", "IntValue(1) IntValue(2)"),
        ("s", long.as_str()),
    ];
    assert_eq!(attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(Resource::empty().encode().is_empty());
}
