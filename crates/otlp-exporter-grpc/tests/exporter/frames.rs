//! Servers that speak correct HTTP/2 and odd gRPC, frame by frame.

use bytes::Bytes;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http::{HeaderMap, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

type Peer = Connection<TcpStream, Bytes>;

/// What a server does with the first request. It goes on serving the connection that is left.
type Act = fn(Peer, SendResponse<Bytes>) -> Option<Peer>;

async fn outcome_of(act: Act) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = exporter(format!("http://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut peer = h2::server::handshake(socket).await.unwrap();
        let (_, respond) = peer.accept().await.unwrap().unwrap();
        if let Some(mut peer) = act(peer, respond) {
            while let Some(Ok(_)) = peer.accept().await {}
        }
    });
    let outcome = export(&exporter).await;
    server.abort();
    outcome
}

/// A head with `grpc-status`, not the end of the answer.
fn head(respond: &mut SendResponse<Bytes>, status: &str) -> h2::SendStream<Bytes> {
    let head = Response::builder().header("content-type", "application/grpc");
    let head = head.header("grpc-status", status).body(()).unwrap();
    respond.send_response(head, false).unwrap()
}

fn trailers(status: &str) -> HeaderMap {
    [("grpc-status".parse().unwrap(), status.parse().unwrap())].into_iter().collect()
}

#[tokio::test]
async fn ok_before_a_reset_is_no_success() {
    // 1.3: the answer broke off, as for official clients.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = exporter(format!("http://{}", listener.local_addr().unwrap()));
    // In one write, since the library for servers drops what it has not sent before a reset.
    let head = [b"\x88".as_slice(), &literal("content-type", "application/grpc")].concat();
    let head = [head, literal("grpc-status", "0")].concat();
    let answer = [frame(SETTINGS, 0, 0, b""), frame(HEADERS, END_HEADERS, 1, &head)];
    let answer = [answer.concat(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])].concat();
    let answering = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !has_request(&read) {
            assert_ne!(socket.read_buf(&mut read).await.unwrap(), 0);
        }
        socket.write_all(&answer).await.unwrap();
        socket
    };
    let (outcome, _socket) = tokio::join!(export(&exporter), answering);
    assert!(is_retryable(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::Disconnected), "{outcome:?}");
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[0, 0, len, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A header in plain HPACK.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Whether the bytes of a client hold the beginning of its first request.
fn has_request(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(24..).unwrap_or_default();
    while let [_, high, low, kind, _, _, _, _, _, after @ ..] = rest {
        if *kind == HEADERS {
            return true;
        }
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        rest = after.get(len..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn ok_before_a_body_is_no_status() {
    // W10: the body that rejects all is read, and the status in the trailers counts.
    let rejecting = |status: &'static str| {
        let act: Act = match status {
            "0" => |peer, mut respond| {
                let mut stream = head(&mut respond, "0");
                stream.send_data(REJECTING, false).unwrap();
                stream.send_trailers(trailers("0")).unwrap();
                Some(peer)
            },
            "13" => |peer, mut respond| {
                let mut stream = head(&mut respond, "0");
                stream.send_data(REJECTING, false).unwrap();
                stream.send_trailers(trailers("13")).unwrap();
                Some(peer)
            },
            _ => |peer, mut respond| {
                head(&mut respond, "0").send_data(REJECTING, true).unwrap();
                Some(peer)
            },
        };
        outcome_of(act)
    };
    let ok = rejecting("0").await;
    assert!(matches!(ok, Outcome::PartlyRejected { rejected: 1, .. }), "{ok:?}");
    let refused = rejecting("13").await;
    assert_eq!(kind(&refused), Some(ErrorKind::GrpcStatus(13)), "{refused:?}");
    let none = rejecting("").await;
    assert!(is_permanent(&none), "{none:?}");
    assert_eq!(kind(&none), Some(ErrorKind::InvalidResponse), "{none:?}");
}

/// A frame with `partial_success { rejected: 1 }`.
const REJECTING: Bytes = Bytes::from_static(b"\0\0\0\0\x04\x0a\x02\x08\x01");

#[tokio::test]
async fn a_refusal_in_the_head_counts_when_no_trailers_follow() {
    let cut: Act = |peer, mut respond| {
        head(&mut respond, "8").send_data(REJECTING.slice(..3), true).unwrap();
        Some(peer)
    };
    let ended: Act = |peer, mut respond| {
        head(&mut respond, "8").send_data(Bytes::new(), true).unwrap();
        Some(peer)
    };
    for act in [cut, ended] {
        let outcome = outcome_of(act).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::GrpcStatus(8)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_http_2_is_not_taken_for_another_port() {
    let reset: Act = |peer, mut respond| {
        respond.send_reset(Reason::REFUSED_STREAM);
        Some(peer)
    };
    let go_away: Act = |mut peer, _respond| {
        peer.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        Some(peer)
    };
    let cut: Act = |_peer, _respond| None;
    for (name, act) in [("reset", reset), ("go away", go_away), ("cut", cut)] {
        let outcome = outcome_of(act).await;
        assert!(is_retryable(&outcome), "{name}: {outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::Disconnected), "{name}: {outcome:?}");
        assert!(!message(&outcome).contains("hint"), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_peer_that_closes_without_a_word_is_suspected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = exporter(format!("http://{}", listener.local_addr().unwrap()));
    let closing = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        // What a server of another protocol reads before it gives up.
        socket.read_exact(&mut [0; 24]).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(export(&exporter), closing);
    assert!(is_retryable(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("not a byte has come from there"), "{outcome:?}");
}
