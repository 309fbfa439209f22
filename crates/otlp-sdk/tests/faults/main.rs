//! Faults from end to end: the SDK with the real exporters against ports, servers, settings and
//! data that are wrong.
//!
//! Each fault gives one message that names the real cause and what was tried, and a ledger that is
//! exact and agrees with what the server saw.

#![cfg(feature = "http")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod addresses;
mod answers;
mod case;
mod data;
mod messages;
mod outages;
mod settings;

use std::net::SocketAddr;
use std::time::Duration;

use otlp_testing::Server;

use self::case::{End, Setup, of_spans};
use self::messages::Ear;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The transport of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Http,
    #[cfg(feature = "grpc")]
    Grpc,
}

impl Over {
    const ALL: &[Self] = &[
        Self::Http,
        #[cfg(feature = "grpc")]
        Self::Grpc,
    ];

    /// As `OTEL_EXPORTER_OTLP_PROTOCOL` says it.
    fn protocol(self) -> &'static str {
        match self {
            Self::Http => "http/protobuf",
            #[cfg(feature = "grpc")]
            Self::Grpc => "grpc",
        }
    }

    fn endpoint(self, server: &Server) -> String {
        match self {
            Self::Http => server.http_endpoint(),
            #[cfg(feature = "grpc")]
            Self::Grpc => server.grpc_endpoint(),
        }
    }

    fn addr(self, server: &Server) -> SocketAddr {
        match self {
            Self::Http => server.http_addr(),
            #[cfg(feature = "grpc")]
            Self::Grpc => server.grpc_addr(),
        }
    }

    /// What a message says was tried.
    fn tried(self, endpoint: &str) -> String {
        match self {
            Self::Http => format!("POST {endpoint}/v1/traces"),
            #[cfg(feature = "grpc")]
            Self::Grpc => {
                let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
                format!("POST {endpoint}/{method}")
            }
        }
    }
}
