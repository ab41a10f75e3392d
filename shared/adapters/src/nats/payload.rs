//! How a batch lies on the wire: JSON, gzipped (telemetry repeats its names: a tenth of the bytes on disk).

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use picket_core::signal::SignalBatch;
use std::io::{Read, Write};

/// Header that tells how the payload is encoded; without it, plain JSON.
pub(super) const ENCODING: &str = "Content-Encoding";
/// Its only value.
pub(super) const GZIP: &str = "gzip";
/// A batch never unpacks to more: the gateway makes them of at most 512 KiB.
const BYTES_MAX: u64 = 4 << 20;

/// The payload of a batch.
pub(super) fn encode(batch: &SignalBatch) -> Result<Vec<u8>, String> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut gzip, batch).map_err(|error| error.to_string())?;
    gzip.flush().and_then(|()| gzip.finish()).map_err(|error| error.to_string())
}

/// The batch of a payload. Whoever can publish may send anything: an error is data, not a fault.
pub(super) fn decode(payload: &[u8], gzip: bool) -> Result<SignalBatch, String> {
    if !gzip {
        return serde_json::from_slice(payload).map_err(|error| error.to_string());
    }
    let mut text = Vec::new();
    GzDecoder::new(payload).take(BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > BYTES_MAX {
        return Err(format!("it unpacks to more than {BYTES_MAX} bytes"));
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_reads_back_and_rubbish_is_an_error() {
        let batch = crate::conformance::batch("east", 7);
        assert_eq!(decode(&encode(&batch).unwrap(), true), Ok(batch.clone()));
        assert_eq!(decode(&serde_json::to_vec(&batch).unwrap(), false), Ok(batch));
        assert!(decode(b"{", false).is_err());
        assert!(decode(b"{", true).is_err());
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(&vec![b' '; 5 << 20]).unwrap();
        assert!(decode(&bomb.finish().unwrap(), true).unwrap_err().contains("unpacks"));
    }
}
