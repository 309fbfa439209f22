use super::*;

fn load(sources: &[&str]) -> Result<Node, String> {
    let sources: Result<Vec<Source>, _> = sources
        .iter()
        .map(|text| match text.strip_prefix("--set=") {
            Some(set) => Source::set(set),
            None => text.parse(),
        })
        .collect();
    let variable = |name: &str| (name == "CONFIG").then(|| "{a: {b: 5}}".to_owned());
    let around = Surroundings::new(&variable);
    let sources = sources.map_err(|error| error.to_string())?;
    read(&sources, &around).map_err(|error| error.to_string())
}

fn number(node: &Node, path: &[&str]) -> i64 {
    path.iter().fold(node, |node, key| node.get(key).unwrap()).read().unwrap()
}

#[test]
fn later_sources_are_merged_over_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    std::fs::write(&path, "a: {b: 1, c: 2}\nlist: [1, 2]\n").unwrap();
    let path = path.to_str().unwrap();
    let file = format!("file:{path}");
    for first in [path, &file] {
        let node = load(&[first, "env:CONFIG", "yaml:list: [3]", "--set=a.d=7", "yaml:a::e::f: 8"])
            .unwrap();
        assert_eq!(["b", "c", "d"].map(|key| number(&node, &["a", key])), [5, 2, 7]);
        assert_eq!(number(&node, &["a", "e", "f"]), 8);
        assert_eq!(node.get("list").unwrap().read::<Vec<u8>>().unwrap(), [3]);
    }
}

#[test]
fn an_error_in_a_value_of_set_names_it() {
    let node = load(&["--set=a.b=x"]).unwrap();
    let error = node.get("a").unwrap().get("b").unwrap().read::<u8>().unwrap_err();
    assert_eq!(error.to_string(), "--set a.b:1:1: \"x\" is not a whole number, 0 or more");
}

#[test]
fn what_cannot_be_read_is_told() {
    for (source, expected) in [
        ("no/such/file.yaml", "no/such/file.yaml: cannot be read"),
        ("http://host/config", "unknown scheme \"http\""),
        (
            "--set=a",
            "--set takes a key and a value, and this is none; accepted: key.below.key=value",
        ),
        ("", "\"\" names no configuration; accepted: a path, "),
        ("file:", "\"file:\" names no configuration; accepted: a path, "),
        ("env:", "\"env:\" names no configuration; accepted: a path, "),
        ("yaml:[1]", "yaml::1:1: a configuration is a mapping, and this is a list"),
        ("env:1", "\"1\" is no name of a variable"),
    ] {
        let error = load(&[source]).unwrap_err();
        assert!(error.starts_with(expected), "{source}: {error}");
    }
    assert_eq!(r"C:\c.yaml".parse(), Ok(Source::File(r"C:\c.yaml".to_owned())));
}

#[test]
fn variables_that_are_not_set_are_kept_in_mind() {
    let variable = |_: &str| None;
    let around = Surroundings::new(&variable);
    let source = "yaml:{a: '${B}', c: '${env:A} ${B}', d: '${C:-1}'}".parse().unwrap();
    read(&[source], &around).unwrap();
    assert_eq!(around.into_missing(), ["A", "B"]);
}

/// Were each key looked for among all, this would take minutes.
#[test]
fn a_mapping_of_very_many_keys_is_read_and_merged() {
    let keys = 90_000;
    let lines = |prefix: &str| -> String {
        (0..keys).map(|key| format!("{prefix}k{key}: {key}\n")).collect()
    };
    let sources = ["x: &x {a: 1}\n<<: *x\n", ""].map(|first| format!("yaml:{first}{}", lines("")));
    let below = format!("yaml:{}", lines("all::"));
    let node = load(&[&sources[0], &sources[1], &below, &below]).unwrap();
    let last = format!("k{}", keys - 1);
    for path in [&["a"][..], &["x", "a"]] {
        assert_eq!(number(&node, path), 1);
    }
    for path in [&[last.as_str()][..], &["all", &last]] {
        assert_eq!(number(&node, path), keys - 1);
    }
}

#[test]
fn later_keys_win_over_earlier_ones_and_keep_their_place() {
    let node = load(&["yaml:{b: 1, a::c: 2, a: {d: 3}}", "yaml:{a::c::e: 4, b: [5]}"]).unwrap();
    let Value::Mapping(entries) = &node.value else { panic!("{node:?}") };
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["b", "a"]);
    assert_eq!((number(&node, &["a", "c", "e"]), number(&node, &["a", "d"])), (4, 3));
    let node = load(&["yaml:{a::c: 2}", "yaml:{a: 1}"]).unwrap();
    assert_eq!(number(&node, &["a"]), 1);
}

#[test]
fn keys_within_each_other_are_bounded() {
    let path = |separator: &str, keys: usize| vec!["a"; keys].join(separator);
    for (good, bad) in [
        (format!("yaml:{}: 1", path("::", 64)), format!("yaml:{}: 1", path("::", 65))),
        (format!("--set={}=1", path(".", 64)), format!("--set={}=1", path(".", 65))),
        (
            format!("yaml:{{{0}: {{{0}: 1}}}}", path("::", 32)),
            format!("yaml:{{{0}: {{{0}::a: 1}}}}", path("::", 32)),
        ),
    ] {
        load(&[&good]).unwrap();
        let error = load(&[&bad]).unwrap_err();
        assert!(error.contains("more than 64 keys stand within each other"), "{error}");
    }
}
