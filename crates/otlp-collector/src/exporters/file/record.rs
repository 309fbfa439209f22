//! A request as it stands in the file.

use otlp_core::export::{
    Compression, DEFAULT_MAX_REQUEST_SIZE, ErrorKind, ExportError, Outcome, attempt,
};
use otlp_core::wire::json::WriteError;
use otlp_core::{Body, JsonBodyError, Payload};

use super::settings::FileFormat;

/// How requests stand in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) encoding: FileFormat,
    pub(super) compression: Compression,
}

impl Format {
    /// Whether a record is a line; else it is four bytes of length, the highest first, and so many bytes.
    pub(super) fn is_lines(self) -> bool {
        self.encoding == FileFormat::Json && self.compression == Compression::None
    }

    /// Appends the record of a request.
    pub(super) fn encode(
        self,
        payload: &Payload,
        destination: &str,
        record: &mut Vec<u8>,
    ) -> Result<(), Outcome> {
        let what = format_args!("record for {destination}");
        let body = match self.encoding {
            FileFormat::Proto => {
                payload.body(self.compression).map_err(|error| attempt::not_sent(what, error))?
            }
            FileFormat::Json => json(payload, self.compression, destination)?,
        };
        if !self.is_lines() {
            let length = u32::try_from(body.rope().len())
                .map_err(|_| attempt::not_sent(what, "4 GiB do not fit into a record"))?;
            record.extend_from_slice(&length.to_be_bytes());
        }
        for part in body.rope().parts() {
            record.extend_from_slice(part);
        }
        if self.is_lines() {
            record.push(b'\n');
        }
        Ok(())
    }
}

fn json(payload: &Payload, compression: Compression, destination: &str) -> Result<Body, Outcome> {
    payload.json_body(compression, RECORD_MAX).map_err(|error| match error {
        JsonBodyError::Json(WriteError::TooLarge { .. }) => {
            let text = format!("record for {destination} not written: {error}");
            Outcome::TooLarge { error: ExportError::new(ErrorKind::RequestTooLarge, text) }
        }
        error => attempt::not_sent(format_args!("record for {destination}"), error),
    })
}

/// The longest text of a record: what a request over the network may have (row Z1).
const RECORD_MAX: usize = DEFAULT_MAX_REQUEST_SIZE;
