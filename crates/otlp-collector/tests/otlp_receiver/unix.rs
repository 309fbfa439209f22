//! Unix sockets.

use std::path::Path;

use otlp_collector::admission::Budget;
use otlp_collector::receivers::otlp::{OtlpReceiver, OtlpSettings, SocketKind, StartError};
use otlp_core::Signal;
use tokio::net::UnixStream;

use crate::support::{Grpc, Http1, MIB, PROTOBUF, Site, frame, three_of};

fn settings(folder: &Path) -> OtlpSettings {
    let mut settings = OtlpSettings::both();
    let grpc = settings.protocols.grpc.as_mut().unwrap();
    (grpc.transport, grpc.endpoint) = (SocketKind::Unix, path(folder, "grpc"));
    let http = settings.protocols.http.as_mut().unwrap();
    (http.transport, http.endpoint) = (SocketKind::Unix, path(folder, "http"));
    settings
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn both_protocols_are_served_over_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::with(settings(folder.path()), MIB).await;
    assert!(site.running.grpc_addr().is_none() && site.running.http_addr().is_none());
    let (request, _) = three_of(Signal::Traces);
    let grpc = Grpc::over(UnixStream::connect(path(folder.path(), "grpc")).await.unwrap()).await;
    assert_eq!(grpc.export(Signal::Traces, &[], &frame(0, &request)).await.status(), 0);
    let mut http = Http1(UnixStream::connect(path(folder.path(), "http")).await.unwrap());
    let reply = http.request("POST", "/v1/traces", &[PROTOBUF], &request).await;
    assert_eq!((reply.status, site.taken().len()), (200, 2));
    drop((grpc, http));
    site.end().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files are removed");
}

#[tokio::test]
async fn a_file_that_was_left_is_replaced_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    // A listener of the standard library leaves its file.
    drop(std::os::unix::net::UnixListener::bind(path(folder.path(), "grpc")).unwrap());
    let site = Site::with(settings(folder.path()), MIB).await;
    let refused = async || {
        let receiver = OtlpReceiver::new(settings(folder.path()));
        let started = receiver.start(Default::default(), Budget::new(1)).await;
        assert!(matches!(started, Err(StartError::Bind { protocol: "grpc", .. })), "{started:?}");
    };
    refused().await;
    site.end().await;
    std::fs::write(path(folder.path(), "grpc"), "a letter").unwrap();
    refused().await;
    assert_eq!(std::fs::read(path(folder.path(), "grpc")).unwrap(), b"a letter");
}
