//! What a fuzzer's first bytes mean.

use otlp_core::Signal;

/// How a request is made, in three bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    what: u8,
    how: u8,
    chunk: u8,
}

impl Plan {
    pub(super) fn of(data: &[u8]) -> Option<(Self, &[u8])> {
        let [what, how, chunk, body @ ..] = data else { return None };
        Some((Self { what: *what, how: *how, chunk: *chunk }, body))
    }

    /// Whether the rest is what comes over the connection, and no body.
    pub(super) fn is_raw(self) -> bool {
        self.what & 0x80 != 0
    }

    pub(super) fn is_http2(self) -> bool {
        self.what & 0x40 != 0
    }

    /// The signal, or none for a path that nobody serves.
    pub(super) fn signal(self) -> Option<Signal> {
        match self.what & 3 {
            0 => Some(Signal::Traces),
            1 => Some(Signal::Metrics),
            2 => Some(Signal::Logs),
            _ => None,
        }
    }

    pub(super) fn encoding(self) -> &'static str {
        ["", "gzip", "zstd", "deflate", "identity", "x-gzip", "br", "gzip, gzip"]
            [usize::from(self.what >> 2 & 7)]
    }

    /// Whether the body is one message in its frame, and not all of it the fuzzer's.
    pub(super) fn is_framed(self) -> bool {
        self.what & 0x20 != 0
    }

    /// What the pipeline answers.
    pub(super) fn outcome(self) -> u8 {
        self.how & 7
    }

    pub(super) fn content_type(self) -> &'static str {
        match self.how >> 3 & 7 {
            0 => "text/plain",
            1 => "",
            2 | 3 => "application/json",
            _ => "application/x-protobuf",
        }
    }

    pub(super) fn method(self) -> &'static str {
        if self.how & 0xc0 == 0xc0 { "PUT" } else { "POST" }
    }

    /// Whether the length is told beforehand.
    pub(super) fn has_length(self) -> bool {
        self.how & 0x40 == 0
    }

    /// In how many bytes at a time the body comes; at most a few hundred times.
    pub(super) fn chunk(self) -> usize {
        match self.chunk {
            0 => usize::MAX,
            chunk => usize::from(chunk),
        }
    }

    pub(super) fn chunks(self, body: &[u8]) -> std::slice::Chunks<'_, u8> {
        body.chunks(self.chunk().max(body.len() / 256 + 1))
    }
}
