use super::*;
use crate::config::surroundings::Surroundings;

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "HOST" => "collector",
        "PORT" => "4317",
        "ZEROS" => "0123",
        "LIST" => "[a, b]",
        "MAP" => "{a: 1}",
        "TOKEN" => "key: value",
        "NAME" => "HOST",
        "LOOP" => "${LOOP}",
        "GROWS" => "${GROWS}${GROWS}",
        "TEXT" => "has $$ and ${HOST}",
        "BAD" => "{a: [",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn expanded(value: &str) -> Result<Node, String> {
    let around = Surroundings::new(&variable);
    let node = yaml::parse(&format!("a: {value}\n"), "c.yaml").unwrap();
    let node = expand(node, &around).map_err(|error| error.to_string())?;
    Ok(node.get("a").unwrap().clone())
}

fn text(value: &str) -> String {
    expanded(value).unwrap().read::<String>().unwrap()
}

#[test]
fn a_reference_within_a_text_is_replaced() {
    for (value, expected) in [
        ("${env:HOST}", "collector"),
        ("${HOST}", "collector"),
        ("http://${env:HOST}:${PORT}", "http://collector:4317"),
        ("${MISSING:-fallback}", "fallback"),
        ("${env:MISSING:-a:b}", "a:b"),
        ("${HOST:-unused}", "collector"),
        ("${env:${NAME}}", "collector"),
        ("${yaml:${PORT}}", "4317"),
        ("'$${HOST}'", "${HOST}"),
        ("'$$${HOST}'", "$collector"),
        ("a$$b", "a$b"),
        ("$HOST", "$HOST"),
        ("'${HOST'", "${HOST"),
        ("'}${HOST}{'", "}collector{"),
        ("'$${a}${HOST}'", "${a}collector"),
        ("'${HOST$${a}'", "${HOST${a}"),
        ("'$$$${HOST}}'", "$${HOST}}"),
        ("${TEXT}", "has $ and collector"),
    ] {
        assert_eq!(text(value), expected, "{value}");
    }
}

#[test]
fn a_reference_alone_is_what_it_brings_and_its_text_for_whoever_asks_for_text() {
    assert_eq!(expanded("${PORT}").unwrap().read::<u16>().unwrap(), 4317);
    assert_eq!(text("${ZEROS}"), "0123");
    assert_eq!(expanded("${LIST}").unwrap().read::<Vec<String>>().unwrap(), ["a", "b"]);
    assert_eq!(expanded("${MAP}").unwrap().get("a").unwrap().read::<u8>().unwrap(), 1);
    assert_eq!(text("${TOKEN}"), "key: value");
    assert_eq!(text("${BAD}"), "{a: [");
    assert!(expanded("${EMPTY}").unwrap().is_null());
    assert!(expanded("${MISSING}").unwrap().is_null());
    assert_eq!(text("${EMPTY}"), "");
}

#[test]
fn what_leads_nowhere_is_told_with_its_place() {
    for (value, expected) in [
        ("${evn:HOST}", "c.yaml:1:4: a: unknown scheme \"evn\"; did you mean \"env\"?"),
        ("${1HOST}", "c.yaml:1:4: a: \"1HOST\" is no name of a variable"),
        ("${file:/does/not/exist}", "c.yaml:1:4: a: /does/not/exist: cannot be read"),
        ("${LOOP}", "c.yaml:1:4: a: references bring in too many levels"),
        ("x${LOOP}", "c.yaml:1:4: a: more than 1000 references are replaced"),
        ("x${GROWS}", "c.yaml:1:4: a: "),
    ] {
        let error = expanded(value).unwrap_err();
        assert!(error.starts_with(expected), "{value}: {error}");
    }
}

/// Were each bracket looked for anew, these would take hours.
#[test]
fn a_text_of_many_brackets_is_passed_once() {
    let many = 400_000;
    for value in [
        "}".repeat(many),
        "{".repeat(many),
        format!("$${{{}", "}".repeat(many)),
        format!("{}{{{}", "$".repeat(many), "}".repeat(many)),
        "$${}".repeat(many / 4),
    ] {
        assert_eq!(find(&value), None);
    }
    let text = format!("{}${{HOST}}", "}".repeat(many));
    assert_eq!(find(&text), Some((many, many + 6)));
}

#[test]
fn what_references_bring_in_is_bounded_in_all() {
    let variable = |_: &str| Some("x".repeat(1 << 20));
    let around = Surroundings::new(&variable);
    let of = |count: usize| -> Result<(), String> {
        let node = yaml::parse(&"- ${A}\n".repeat(count), "c.yaml").unwrap();
        expand(node, &around).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(of(33).unwrap_err(), "c.yaml:33:3: references bring in more than 33554432 bytes");
}
