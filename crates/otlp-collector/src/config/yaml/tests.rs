use super::*;

fn show(node: &Node) -> String {
    match &node.value {
        Value::Plain(text) => text.clone(),
        Value::Text(text) => format!("'{text}'"),
        Value::Sequence(nodes) => {
            format!("[{}]", nodes.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        Value::Mapping(entries) => {
            let entries =
                entries.iter().map(|entry| format!("{}: {}", entry.key, show(&entry.node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn read(text: &str) -> Result<String, String> {
    parse(text, "c.yaml").map(|node| show(&node)).map_err(|error| error.to_string())
}

#[test]
fn values_keep_their_text_and_order() {
    let text =
        "b: 0123\na:\n  - 'x'\n  - !!str 1\n  - {c: , d: ~}\n8080: \"y\"\nblock: |\n  one\n  two\n";
    let expected = "{b: 0123, a: ['x', '1', {c: , d: ~}], 8080: 'y', block: 'one\ntwo\n'}";
    assert_eq!(read(text).unwrap(), expected);
    assert_eq!(read("").unwrap(), "{}");
    assert_eq!(read("# nothing\n").unwrap(), "{}");
}

#[test]
fn every_value_knows_its_place() {
    let node = parse("a:\n  bee: [1,\n    two]\n", "c.yaml").unwrap();
    let bee = node.get("a").unwrap().get("bee").unwrap();
    assert_eq!(bee.origin().to_string(), "c.yaml:2:8");
    let Value::Sequence(items) = &bee.value else { panic!("{bee:?}") };
    let places: Vec<_> = items.iter().map(|item| item.origin().to_string()).collect();
    assert_eq!(places, ["c.yaml:2:9", "c.yaml:3:5"]);
}

#[test]
fn an_alias_repeats_and_a_merge_key_fills_in() {
    let text = "base: &base {a: 1, b: 2}\nsame: *base\nmore:\n  <<: *base\n  b: 3\n  c: 4\nother:\n  b: 5\n  <<: [*base, {d: 6}]\n";
    let expected = "{base: {a: 1, b: 2}, same: {a: 1, b: 2}, more: {a: 1, b: 3, c: 4}, \
                    other: {b: 5, a: 1, d: 6}}";
    assert_eq!(read(text).unwrap(), expected);
    assert!(read("a:\n  <<: 1\n").unwrap_err().contains("takes a mapping"));
}

#[test]
fn what_is_no_configuration_is_refused_with_its_place() {
    for (text, expected) in [
        ("a: 1\nb: 2\na: 3\n", "c.yaml:3:1: the key \"a\" stands here again, first at c.yaml:1:1"),
        ("a: [1\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "a second document begins"),
        ("? [a]\n: 1\n", "a key must be a single value"),
        ("a: *unknown\n", "not valid YAML"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with("c.yaml:") && error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn what_would_use_up_memory_or_the_stack_is_refused() {
    let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&deep(64)).is_ok());
    assert!(read(&deep(65)).unwrap_err().contains("more than 64 collections"));
    read(&deep(100_000)).unwrap_err();
    // Ten to the tenth values, in a kilobyte.
    let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert!(read(&bomb).unwrap_err().contains("more than 200000 values"));
    let mut nested = "a0: &a0 [1]\n".to_owned();
    for level in 1..100 {
        nested.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(read(&nested).unwrap_err().contains("more than 64 collections"));
}

#[test]
fn aliases_repeat_no_more_than_a_file_can_hold() {
    let text =
        |times: usize| format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(times));
    assert!(parse(&text(16), "c.yaml").is_ok());
    let error = parse(&text(17), "c.yaml").unwrap_err().to_string();
    assert!(error.ends_with("aliases repeat more than 16777216 bytes"), "{error}");
}
