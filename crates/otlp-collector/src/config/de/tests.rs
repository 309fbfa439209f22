use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::config::yaml;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Server {
    endpoint: String,
    max_recv_msg_size_mib: u64,
    keepalive: Option<Keepalive>,
    headers: BTreeMap<String, String>,
    include_metadata: bool,
    ratio: f64,
    names: Vec<String>,
    compression: Compression,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Keepalive {
    #[serde(deserialize_with = "crate::config::duration")]
    time: std::time::Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { time: std::time::Duration::from_secs(10) }
    }
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Compression {
    #[default]
    None,
    Gzip,
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let node = yaml::parse(text, "c.yaml").map_err(|error| error.to_string())?;
    node.read().map_err(|error| error.to_string())
}

#[test]
fn what_is_asked_for_decides_what_a_scalar_is() {
    let text = "endpoint: 0123\nmax_recv_msg_size_mib: 0x10\nheaders: {a: 1, b: true}\ninclude_metadata: yes\nratio: 1\nnames: [1.0, x]\ncompression: gzip\n";
    let server: Server = read(text).unwrap();
    assert_eq!((server.endpoint.as_str(), server.max_recv_msg_size_mib), ("0123", 16));
    assert_eq!(
        server.headers,
        BTreeMap::from([("a".into(), "1".into()), ("b".into(), "true".into())])
    );
    assert!(server.include_metadata && (server.ratio - 1.0).abs() < f64::EPSILON);
    assert_eq!(
        (server.names, server.compression),
        (vec!["1.0".into(), "x".into()], Compression::Gzip)
    );
}

#[test]
fn a_key_without_more_is_its_section_with_the_defaults() {
    let server: Server = read("keepalive:\nheaders:\nnames:\n").unwrap();
    assert_eq!(server, Server { keepalive: Some(Keepalive::default()), ..Server::default() });
    assert_eq!(read::<Server>("").unwrap(), Server::default());
    assert_eq!(read::<Server>("~").unwrap(), Server::default());
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_would_do() {
    for (text, expected) in [
        ("endpont: x\n", "c.yaml:1:1: unknown key \"endpont\"; did you mean \"endpoint\"?"),
        (
            "keepalive:\n  tim: 1s\n",
            "c.yaml:2:3: keepalive: unknown key \"tim\"; did you mean \"time\"?",
        ),
        (
            "keepalive:\n  time: soon\n",
            "c.yaml:2:9: keepalive::time: \"soon\" is not a time such as 200ms",
        ),
        ("keepalive: 5\n", "c.yaml:1:12: keepalive: a single value is not a mapping"),
        (
            "max_recv_msg_size_mib: -1\n",
            "c.yaml:1:24: max_recv_msg_size_mib: invalid value: integer `-1`, expected u64",
        ),
        (
            "max_recv_msg_size_mib: many\n",
            "c.yaml:1:24: max_recv_msg_size_mib: \"many\" is not a whole number, 0 or more",
        ),
        (
            "include_metadata: maybe\n",
            "c.yaml:1:19: include_metadata: \"maybe\" is not true or false",
        ),
        ("names: [a, [b]]\n", "c.yaml:1:12: names::1: a list is not a string"),
        ("endpoint:\n", "c.yaml:1:9: endpoint: nothing is not a string"),
        (
            "compression: gzzip\n",
            "c.yaml:1:14: compression: unknown value \"gzzip\"; did you mean \"gzip\"?",
        ),
        ("- a\n", "c.yaml:1:1: a list is not a mapping"),
    ] {
        let error = read::<Server>(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn where_nothing_is_asked_for_a_scalar_is_what_it_looks_like() {
    let cases = [
        ("1_000", "Unsigned(1000)"),
        ("-5", "Signed(-5)"),
        ("0o17", "Unsigned(15)"),
        ("017", "Unsigned(15)"),
        ("0b11", "Unsigned(3)"),
        ("1.5e3", "Float(1500.0)"),
        (".inf", "Float(inf)"),
        ("-.inf", "Float(-inf)"),
        ("1.2.3", "Text"),
        ("1s", "Text"),
        ("infinity", "Text"),
        ("-", "Text"),
        ("0x", "Text"),
        ("089", "Float(89.0)"),
    ];
    for (text, expected) in cases {
        let shown = match number(text) {
            Some(Number::Unsigned(number)) => format!("Unsigned({number})"),
            Some(Number::Signed(number)) => format!("Signed({number})"),
            Some(Number::Float(number)) => format!("Float({number:?})"),
            None => "Text".to_owned(),
        };
        assert_eq!(shown, expected, "{text}");
    }
    assert!(number(&i64::MIN.to_string()).is_some());
    assert!(matches!(number("-99999999999999999999"), Some(Number::Float(_))));
}
