//! OTLP/HTTP over hyper's HTTP/1.1 client.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::grpc::rejected;
use super::sending::Answer;
use crate::subject::Failure;

/// A connection.
#[derive(Debug)]
pub(super) struct Http {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    gzip: bool,
}

impl Http {
    pub(super) async fn connect(port: u16, gzip: bool) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its end is seen by the requests.
        tokio::spawn(connection);
        Ok(Self { sender, host: format!("127.0.0.1:{port}"), gzip })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&mut self, message: Bytes) -> Result<Answer, Failure> {
        self.sender.ready().await?;
        let mut request = Request::post("/v1/traces")
            .header("host", self.host.as_str())
            .header("content-type", "application/x-protobuf");
        if self.gzip {
            request = request.header("content-encoding", "gzip");
        }
        let response = self.sender.send_request(request.body(Full::new(message))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        match head.status {
            StatusCode::OK => Ok(Answer::Accepted { rejected: rejected(&body)? }),
            // What OTLP calls retryable.
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Ok(Answer::Refused(head.status.to_string())),
            other => Err(format!("HTTP status {other}: {}", body.escape_ascii()).into()),
        }
    }
}
