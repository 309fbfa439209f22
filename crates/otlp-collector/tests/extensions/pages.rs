//! The server of all pages, under clients that mean ill.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Site, ask, get, raw, yaml};

const LOCAL: &str = "health_check: {endpoint: '127.0.0.1:0', response_headers: {x-by: me}}";

#[tokio::test]
async fn pages_are_read_and_nothing_else_is_done_with_them() {
    let site = Site::start(&yaml(LOCAL, "health_check")).await;
    let health = site.extension("health_check");
    let head = ask(health, "HEAD", "/", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("x-by: me") && head.head.contains("cache-control: no-store"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let answer = ask(health, method, "/", "").await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get, head"));
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let site = Site::start(&yaml(LOCAL, "health_check")).await;
    let health = site.extension("health_check");
    assert_eq!(raw(health, b"\x16\x03\x01 hello\r\n\r\n").await.status, 400);
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1 << 16));
    assert!(matches!(raw(health, long.as_bytes()).await.status, 414 | 431));
    assert_eq!(get(health, "/").await.status, 200);
}

#[tokio::test]
async fn idle_connections_however_many_keep_nobody_out() {
    let site = Site::start(&yaml(LOCAL, "health_check")).await;
    let health = site.extension("health_check");
    let mut idle = Vec::new();
    for at in 0..200 {
        let mut stream = TcpStream::connect(health).await.unwrap();
        if at % 2 == 0 {
            stream.write_all(b"GET / HT").await.unwrap();
        }
        idle.push(stream);
    }
    assert_eq!(get(health, "/").await.status, 200);
    // The first had to make room.
    let closed = idle[0].read(&mut [0; 16]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}

#[tokio::test]
async fn who_takes_too_long_is_cut() {
    let site = Site::start(&yaml(LOCAL, "health_check")).await;
    let mut stream = TcpStream::connect(site.extension("health_check")).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
    // So that the connection has been taken.
    assert_eq!(get(site.extension("health_check"), "/").await.status, 200);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn after_the_end_nobody_listens() {
    let site = Site::start(&yaml(LOCAL, "health_check")).await;
    let health = site.extension("health_check");
    site.stop().await;
    assert!(TcpStream::connect(health).await.is_err());
}
