use super::*;

fn warnings(env: &Env, read: impl FnOnce(&mut EnvReader<'_>)) -> Vec<String> {
    let mut reader = env.reader();
    read(&mut reader);
    reader.into_warnings().iter().map(ToString::to_string).collect()
}

fn one(value: &str) -> Env {
    Env::from_pairs([("OTEL_X", value)])
}

#[test]
fn an_empty_variable_is_unset() {
    for value in ["", "  "] {
        let env = one(value);
        let found = warnings(&env, |reader| {
            assert_eq!(reader.string("OTEL_X"), None);
            assert_eq!(reader.bool("OTEL_X"), None);
            assert_eq!(reader.u64("OTEL_X", 1..=9, 5), 5);
            assert_eq!(reader.millis("OTEL_X", Duration::from_secs(1)), Duration::from_secs(1));
            assert_eq!(reader.one_of("OTEL_X", &[("a", 1)], &"a"), None);
            assert_eq!(reader.list("OTEL_X"), None);
            assert!(!reader.is_set("OTEL_X"));
        });
        assert!(found.is_empty() && env.unused().is_empty(), "{found:?}");
    }
}

#[test]
fn only_true_is_true() {
    for (value, expected, warned) in [
        ("true", true, false),
        ("TRUE", true, false),
        ("True ", true, false),
        ("false", false, false),
        ("False", false, false),
        ("1", false, true),
        ("yes", false, true),
        ("on", false, true),
        ("t", false, true),
    ] {
        let found = warnings(&one(value), |r| {
            assert_eq!(r.bool("OTEL_X"), Some(expected));
        });
        assert_eq!(found.len(), usize::from(warned), "{value}");
    }
    let found = warnings(&one("1"), |r| assert_eq!(r.bool("OTEL_X"), Some(false)));
    assert_eq!(found, ["OTEL_X=\"1\" is not a boolean; accepted: true, false; using false"]);
}

#[test]
fn numbers_outside_their_range_warn_and_default() {
    for value in ["1", "512", " 7 "] {
        let expected: u64 = value.trim().parse().unwrap();
        assert!(
            warnings(&one(value), |r| assert_eq!(r.u64("OTEL_X", 1..=512, 9), expected)).is_empty()
        );
    }
    for (value, problem) in [
        ("0", "is out of range"),
        ("513", "is out of range"),
        ("-1", "is out of range"),
        ("99999999999999999999999", "is out of range"),
        ("5.5", "is not a whole number"),
        ("0x10", "is not a whole number"),
        ("ten", "is not a whole number"),
        ("1 000", "is not a whole number"),
        ("-", "is not a whole number"),
    ] {
        let found = warnings(&one(value), |r| assert_eq!(r.u64("OTEL_X", 1..=512, 9), 9));
        let expected = format!(
            "OTEL_X=\"{value}\" {problem}; accepted: a whole number from 1 to 512; using 9"
        );
        assert_eq!(found, [expected]);
        assert_eq!(
            warnings(&one(value), |r| assert_eq!(r.usize("OTEL_X", 1..=512, 9), 9)).len(),
            1
        );
    }
    let found = warnings(&one("x"), |r| {
        assert_eq!(r.usize("OTEL_X", 0..=usize::MAX, 9), 9);
    });
    assert_eq!(
        found,
        ["OTEL_X=\"x\" is not a whole number; accepted: a whole number, 0 or more; using 9"]
    );
}

#[test]
fn durations_are_whole_milliseconds() {
    let default = Duration::from_secs(10);
    for (value, expected) in [("0", Duration::ZERO), ("1500", Duration::from_millis(1500))] {
        let found = warnings(&one(value), |r| {
            assert_eq!(r.millis("OTEL_X", default), expected);
        });
        assert!(found.is_empty());
    }
    for value in ["-1", "10s", "1.5", "1e3"] {
        let found = warnings(&one(value), |r| {
            assert_eq!(r.millis("OTEL_X", default), default);
        });
        let [warning] = &found[..] else { panic!("{found:?}") };
        assert!(warning.starts_with(&format!("OTEL_X=\"{value}\" is ")), "{warning}");
        let end = "accepted: a whole number of milliseconds, 0 or more; using 10000 ms";
        assert!(warning.ends_with(end), "{warning}");
    }
}

#[test]
fn names_are_found_in_any_case_and_unknown_ones_ignored() {
    let table = [("always_on", 1), ("always_off", 2)];
    let read = |value| {
        let env = one(value);
        let mut reader = env.reader();
        let found = reader.one_of("OTEL_X", &table, &"always_on");
        (found, reader.into_warnings())
    };
    assert_eq!(read("ALWAYS_Off"), (Some(2), vec![]));
    let (found, warnings) = read("sometimes\u{7}");
    assert_eq!(found, None);
    assert_eq!(
        warnings[0].to_string(),
        "OTEL_X=\"sometimes\\u{7}\" is not known; accepted: always_on, always_off; using always_on",
    );
}

#[test]
fn lists_are_split_and_trimmed() {
    let env = one(" tracecontext, baggage,,b3 ");
    assert_eq!(env.reader().list("OTEL_X").unwrap(), ["tracecontext", "baggage", "b3"]);
}

#[test]
fn what_was_not_looked_at_is_reported_by_name() {
    let env = Env::from_pairs([
        ("OTEL_B", "1"),
        ("OTEL_A", "1"),
        ("OTEL_READ", "1"),
        ("OTEL_EMPTY", ""),
        ("HOME", "/"),
    ]);
    let clone = env.clone();
    assert_eq!(clone.reader().string("OTEL_READ"), Some("1"));
    assert!(env.is_set("OTEL_B"));
    assert_eq!(env.unused(), ["OTEL_A", "OTEL_B"]);
    assert!(Env::empty().unused().is_empty());
}

#[test]
fn secrets_stay_out_of_warnings_and_of_debug() {
    for name in ["OTEL_EXPORTER_OTLP_HEADERS", "MY_API_KEY", "X_TOKEN", "X_PASSWORD", "X_SECRET"] {
        let env = Env::from_pairs([(name, "S3CR3T")]);
        let mut reader = env.reader();
        assert_eq!(reader.u64(name, 0..=1, 0), 0);
        let text = format!("{env:?} {reader:?}");
        let warning = reader.into_warnings().remove(0);
        assert!(!format!("{text} {warning} {warning:?}").contains("S3CR3T"), "{text} {warning}");
        assert_eq!(warning.value.as_deref(), Some(STARS));
    }
}

#[test]
fn long_values_are_cut_in_warnings() {
    let env = one(&"x".repeat(10_000));
    let mut reader = env.reader();
    reader.bool("OTEL_X");
    assert!(reader.into_warnings()[0].to_string().len() < 400);
}

#[test]
fn a_value_that_is_not_text_warns_and_counts_as_unset() {
    let env = Env::new(BTreeMap::from([("OTEL_X".to_owned(), None)]));
    assert_eq!(env.unused(), ["OTEL_X"]);
    let found = warnings(&env, |r| assert_eq!(r.string("OTEL_X"), None));
    assert_eq!(found, ["OTEL_X is not valid UTF-8; accepted: text; using it as unset"]);
    assert!(env.unused().is_empty());
}

#[test]
fn the_process_environment_is_a_snapshot() {
    // Cargo sets this for every test.
    let env = Env::from_process();
    assert_eq!(env.reader().string("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_NAME")));
}

#[test]
fn a_slip_of_the_fingers_is_known_for_what_was_meant() {
    let env = Env::empty();
    let mut reader = env.reader();
    for name in ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_SERVICE_NAME"] {
        assert_eq!(reader.string(name), None);
    }
    for slip in [
        "OTEL_SERVICE_NAM",
        "OTEL_SERVICE_NAMES",
        "TEL_SERVICE_NAME",
        "OTEL_SERVICE-NAME",
        "OTEL_SERVICE_NMAE",
        "OTEL_SERVVICE_NAME",
    ] {
        assert_eq!(env.meant_by(slip).as_deref(), Some("OTEL_SERVICE_NAME"), "{slip}");
    }
    for other in ["OTEL_SERVICE_NAME", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_SERVICE", "OTEL", ""] {
        assert_eq!(env.meant_by(other), None, "{other}");
    }
}
