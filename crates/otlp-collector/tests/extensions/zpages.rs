//! `zpages`.

use crate::support::{Site, back_end_is_away, blueprint, get, with_pipeline, yaml};

const LOCAL: &str = "zpages: {endpoint: '127.0.0.1:0'}";

#[tokio::test]
async fn the_pages_show_what_has_passed_and_what_went_wrong() {
    let site = Site::start(&with_pipeline(LOCAL, "zpages", "", "scripted")).await;
    let zpages = site.extension("zpages");
    assert_eq!(site.send_span("").await.status, 200);
    back_end_is_away();
    assert_eq!(site.send_span("").await.status, 503);

    let all = get(zpages, "/?format=json").await.json();
    let pipeline = &all["pipelines"][0];
    assert_eq!(pipeline["pipeline"], "traces/x");
    assert_eq!((&pipeline["received"], &pipeline["taken"]), (&2.into(), &1.into()));
    assert_eq!((&pipeline["refused"], &pipeline["held"]), (&1.into(), &0.into()));
    let exporter = &all["exporters"][0];
    assert_eq!((&exporter["exporter"], &exporter["sent"]), (&"scripted".into(), &1.into()));
    assert_eq!((&exporter["returned"], &exporter["unaccounted"]), (&1.into(), &"0".into()));
    assert!(exporter["last error"].as_str().unwrap().contains("<away>"));
    assert_eq!(all["service"][0]["phase"], "running");
    assert_eq!(all["service"][0]["bytes held"], 0);
    assert_eq!(all["extensions"][0]["extension"], "zpages");

    for (path, title) in [
        ("/debug/servicez", "<h2>service</h2>"),
        ("/debug/pipelinez", "<h2>pipelines</h2>"),
        ("/debug/pipelinez", "<td>scripted</td>"),
        ("/debug/pipelinez", "&lt;away&gt;"),
        ("/debug/extensionz", "<h2>extensions</h2>"),
        ("/", "<td>traces/x</td>"),
    ] {
        let page = get(zpages, path).await;
        assert_eq!(page.status, 200);
        assert!(page.head.contains("content-type: text/html"));
        assert!(page.body.starts_with("<!DOCTYPE html>") && page.body.contains(title), "{path}");
    }
    assert_eq!(get(zpages, "/debug/tracez").await.status, 404);
    site.stop().await;
}

#[test]
fn the_keys_of_the_go_collector_are_known() {
    blueprint(&yaml("zpages: {endpoint: 'localhost:55679', expvar: {enabled: true}}", "zpages"))
        .unwrap();
    let error = blueprint(&yaml("zpages: {expvr: {}}", "zpages")).unwrap_err().to_string();
    assert!(error.ends_with("did you mean \"expvar\"?"), "{error}");
}
