use super::*;

fn said(headers: &str, text: &str) -> String {
    Redactor::new(&Headers::parse(headers).unwrap()).printable(text)
}

#[test]
fn values_and_tokens_are_replaced_wherever_they_stand() {
    let sent = "authorization=Bearer%20s3cr3t-tok,x-key=hunter2";
    assert_eq!(
        said(sent, "bad credentials: Bearer s3cr3t-tok key=hunter2"),
        "bad credentials: *** key=***"
    );
    assert_eq!(said(sent, "bad token 's3cr3t-tok', HUNTER2"), "bad token '***', ***");
    assert_eq!(said(sent, "hunter2hunter2"), "***");
    assert_eq!(said(sent, "no such tenant\n"), "no such tenant");
}

#[test]
fn escaped_secrets_are_found() {
    let sent = "x-key=a%2Bb%2Fc%3D%3D%2525";
    for text in [
        "a+b/c==%25",
        "a%2bb%2Fc%3D%3D%2525",
        r"a+b\/c==%25",
        r"a\u002bb/c\u003d=\u002525",
        "a&#43;b/c=&#x3d;%25",
        "a+b/c==%",
    ] {
        assert_eq!(said(sent, &format!("<{text}>")), "<***>", "{text}");
    }
    assert_eq!(said("x-key=%22quoted%22", r#"{"key":"\"quoted\""}"#), r#"{"key":"***"}"#);
    assert_eq!(said("x-key=a%26b<c", "a&amp;b&lt;c"), "***");
}

#[test]
fn a_secret_that_looks_like_the_end_of_an_escape_is_found() {
    assert_eq!(said("x-key=41abcdef", "100%41abcdef"), "100%***");
}

#[test]
fn the_user_of_a_url_and_its_query_are_secrets() {
    let endpoint = super::super::Endpoint::exact("http://user:p%40ss@host/x?key=q-secret&a=1");
    let secrets = endpoint.unwrap().secrets();
    let headers = Headers::new();
    let redactor = Redactor::new(&headers).with_secrets(&secrets);
    let text = "no p@ss, Basic dXNlcjpwQHNz, dXNlcjpwQHNz; /x?key=q-secret&a=1 or q-secret";
    assert_eq!(redactor.printable(text), "no ***, ***, ***; /x?*** or ***");
}

#[test]
fn the_headers_of_the_provider_count_too() {
    let (fixed, provided) = (Headers::new(), Headers::parse("x-key=hunter2").unwrap());
    let redactor = Redactor::new(&fixed).with_provided(Some(&provided));
    assert_eq!(redactor.printable("hunter2?"), "***?");
}

#[test]
fn short_secrets_are_replaced_as_words_only() {
    let sent = "x-tenant=7,x-env=dev";
    assert_eq!(said(sent, "7: 17 devices in dev, 7"), "***: 17 devices in ***, ***");
    assert_eq!(said(sent, "de"), "de");
}

#[test]
fn a_secret_that_was_cut_with_the_text_is_replaced() {
    let sent = "authorization=Bearer%20s3cr3t-tok";
    assert_eq!(said(sent, "bad token s3cr3t-t"), "bad token ***");
    assert_eq!(said(sent, "bad token s3cr3t-t, really"), "bad token s3cr3t-t, really");
    // The second is cut where a text ends for us.
    let text = format!("s3cr3t-tok{}s3cr3t-tok", " ".repeat(TEXT_MAX - 15));
    assert_eq!(said(sent, &text).matches("s3cr").count(), 0);
}

#[test]
fn overlapping_secrets_leave_nothing_between_them() {
    assert_eq!(said("x-a=abcdef,x-b=defghi", "<abcdefghi>"), "<***>");
}

#[test]
fn text_that_is_not_ascii_is_kept() {
    assert_eq!(said("x-key=hunter2", "größer hunter2 ✓"), "größer *** ✓");
    assert_eq!(said("x-key=hunter2", &"ä".repeat(TEXT_MAX)), format!("{}…", "ä".repeat(128)));
}

#[test]
fn of_a_long_text_only_the_beginning_is_looked_at() {
    let text = "a".repeat(1 << 20);
    let shown = Redactor::new(&Headers::parse(&format!("x-key={}b", "a".repeat(200))).unwrap())
        .redact(&text)
        .into_owned();
    assert_eq!(shown, format!("{}{STARS}", "a".repeat(TEXT_MAX - 200)));
}
