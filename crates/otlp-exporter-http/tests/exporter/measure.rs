use super::*;
#[test]
#[ignore]
fn sink() {
    let _server = otlp_testing::Server::builder().counts_only().with_http_port(45672).start().unwrap();
    std::thread::sleep(Duration::from_secs(300));
}
#[tokio::test]
#[ignore]
async fn measure() {
    let exporter = exporter("http://127.0.0.1:45672");
    let name = "x".repeat(345);
    let names = vec![name.as_str(); 600];
    let payload = payload(&names);
    let whole: bytes::Bytes = payload.into();
    let chunk: usize = std::env::var("CHUNK").unwrap().parse().unwrap();
    let parts: otlp_core::Rope = whole.chunks(chunk).map(bytes::Bytes::copy_from_slice).collect();
    let payload = Payload::from_parts(Signal::Traces, parts, 600);
    assert!(export(&exporter).await.error().is_none());
    let stat = || { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let f: Vec<_> = s.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect(); (f[11].parse::<u64>().unwrap(), f[12].parse::<u64>().unwrap()) };
    let before = stat(); let t = Instant::now();
    for _ in 0..1000 {
        let o = exporter.export(payload.clone(), Deadline::NEVER).await;
        assert!(o.error().is_none(), "{o:?}");
    }
    let after = stat();
    println!("chunk {chunk} user {} ticks sys {} ticks wall {:?}", after.0-before.0, after.1-before.1, t.elapsed());
}
