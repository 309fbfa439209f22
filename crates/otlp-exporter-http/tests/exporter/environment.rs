//! What the environment says to a builder that has been told its transport in code.

use otlp_testing::Server;

use super::*;

fn from_env(protocol: &str, server: &Server) -> (HttpExporter, Vec<String>) {
    let endpoint = server.http_endpoint();
    let env = Env::from_pairs([
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
    ]);
    let (exporter, warnings) =
        HttpExporter::builder(Signal::Traces).build_with_warnings(&env).unwrap();
    (exporter, warnings.iter().map(ToString::to_string).collect())
}

async fn content_type(protocol: &str) -> (String, Vec<String>) {
    let server = Server::start();
    let (exporter, warnings) = from_env(protocol, &server);
    assert!(is_delivered(&export(&exporter).await));
    let requests = server.requests();
    let request = requests.first().unwrap();
    (request.header("content-type").unwrap().to_owned(), warnings)
}

#[tokio::test]
async fn the_environment_chooses_between_the_encodings() {
    let protobuf = || "application/x-protobuf".to_owned();
    assert_eq!(content_type("").await, (protobuf(), vec![]));
    assert_eq!(content_type("http/protobuf").await, (protobuf(), vec![]));
    let (encoding, warnings) = content_type("http/json").await;
    if cfg!(feature = "json") {
        assert_eq!((encoding.as_str(), warnings), ("application/json", vec![]));
    } else {
        assert_eq!((encoding, warnings.len()), (protobuf(), 1));
    }
    let (encoding, warnings) = content_type("grpc").await;
    assert_eq!(encoding, protobuf());
    assert_eq!(warnings.len(), 1);
    let expected = "OTEL_EXPORTER_OTLP_PROTOCOL=\"grpc\" is not spoken by the exporter";
    assert!(warnings.concat().starts_with(expected), "{warnings:?}");
}
