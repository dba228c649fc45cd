//! Decoding a body as it arrives, under caps: what a few bytes can grow into is decided here, not by the sender.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use super::config::Limits;
use crate::domain::http::HttpError;

/// What the gate asks for; anything else in an answer is refused.
pub(super) const ACCEPTED: &str = "gzip, br";

/// The most that is set aside on the word of a sender.
const EXPECTED_BYTES: u64 = 1 << 20;

const BROTLI_BUFFER_BYTES: usize = 8 * 1024;

/// A body on its way in.
pub(super) struct Decoder {
    encoding: Encoding,
    encoded: u64,
    cap: u64,
}

enum Encoding {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
    Brotli(Box<DecompressorWriter<Capped>>),
}

impl Decoder {
    /// For the value of `Content-Encoding`: one layer, of those that were asked for.
    pub(super) fn new(encoding: Option<&str>, limits: &Limits) -> Result<Self, HttpError> {
        let out = Capped::new(limits);
        let encoding = match encoding.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Encoding::Plain(out),
            Some("gzip" | "x-gzip") => Encoding::Gzip(Box::new(MultiGzDecoder::new(out))),
            Some("br") => Encoding::Brotli(Box::new(DecompressorWriter::new(out, BROTLI_BUFFER_BYTES))),
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                return Err(HttpError::Truncated(format!(
                    "the answer has the content encoding {other:?}, which nobody asked for"
                )));
            }
        };
        Ok(Self { encoding, encoded: 0, cap: limits.response_body_bytes as u64 })
    }

    /// Makes room for what the sender announced, once instead of piece by piece. A compressed body grows beyond it.
    pub(super) fn expect(&mut self, length: Option<u64>) {
        let length = length.unwrap_or(0).min(self.cap).min(EXPECTED_BYTES);
        self.out().bytes.reserve(usize::try_from(length).unwrap_or(0));
    }

    /// Bytes off the wire so far.
    pub(super) const fn encoded(&self) -> u64 {
        self.encoded
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), HttpError> {
        self.encoded += piece.len() as u64;
        if self.encoded > self.cap {
            return Err(too_large(self.cap));
        }
        self.out().encoded = self.encoded;
        let written = match &mut self.encoding {
            Encoding::Plain(out) => out.write_all(piece),
            Encoding::Gzip(decoder) => decoder.write_all(piece),
            Encoding::Brotli(decoder) => decoder.write_all(piece),
        };
        self.judge(written)
    }

    /// The whole decoded body; an error if the encoded stream is not complete.
    pub(super) fn finish(mut self) -> Result<Bytes, HttpError> {
        // HEAD, 204 and 304 may name an encoding and bring nothing to decode.
        if self.encoded == 0 {
            return Ok(Bytes::new());
        }
        let finished = match &mut self.encoding {
            Encoding::Plain(_) => Ok(()),
            Encoding::Gzip(decoder) => decoder.try_finish(),
            Encoding::Brotli(decoder) => decoder.close(),
        };
        self.judge(finished)?;
        Ok(Bytes::from(std::mem::take(&mut self.out().bytes)))
    }

    fn judge(&mut self, result: io::Result<()>) -> Result<(), HttpError> {
        match (self.out().exceeded.take(), result) {
            (Some(exceeded), _) => Err(exceeded),
            (None, Ok(())) => Ok(()),
            (None, Err(_)) => Err(HttpError::Truncated("the compressed body is broken or incomplete".to_owned())),
        }
    }

    fn out(&mut self) -> &mut Capped {
        match &mut self.encoding {
            Encoding::Plain(out) => out,
            Encoding::Gzip(decoder) => decoder.get_mut(),
            Encoding::Brotli(decoder) => decoder.get_mut(),
        }
    }
}

/// Where decoded bytes go. It looks at every block that a decoder hands over, a few KiB at a time.
struct Capped {
    bytes: Vec<u8>,
    encoded: u64,
    cap: u64,
    ratio: u64,
    ratio_after: u64,
    exceeded: Option<HttpError>,
}

impl Capped {
    const fn new(limits: &Limits) -> Self {
        Self {
            bytes: Vec::new(),
            encoded: 0,
            cap: limits.response_body_bytes as u64,
            ratio: limits.ratio,
            ratio_after: limits.ratio_after_bytes,
            exceeded: None,
        }
    }
}

impl Write for Capped {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        let decoded = self.bytes.len() as u64 + block.len() as u64;
        if decoded > self.cap {
            self.exceeded = Some(too_large(self.cap));
        } else if decoded > self.ratio_after && decoded > self.encoded.saturating_mul(self.ratio) {
            self.exceeded = Some(HttpError::TooLarge(format!(
                "the compressed body grows more than {}-fold, as no honest one does",
                self.ratio
            )));
        }
        if self.exceeded.is_some() {
            return Err(io::Error::other("body cap"));
        }
        self.bytes.extend_from_slice(block);
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn too_large(cap: u64) -> HttpError {
    HttpError::TooLarge(format!("the body exceeds {cap} bytes; ask for less, for example a smaller page"))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(encoding: Option<&str>, bytes: &[u8], limits: &Limits) -> Result<Bytes, HttpError> {
        let mut decoder = Decoder::new(encoding, limits)?;
        for piece in bytes.chunks(1000) {
            decoder.push(piece)?;
        }
        decoder.finish()
    }

    #[test]
    fn bodies_come_out_whole_whatever_the_encoding() {
        let limits = Limits::default();
        let body = br#"{"results":[]}"#.repeat(1000);
        assert_eq!(decode(None, &body, &limits).unwrap(), body);
        assert_eq!(decode(Some("GZIP"), &gzip(&body), &limits).unwrap(), body);
        let two_members = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decode(Some("gzip"), &two_members, &limits).unwrap(), &b"one two"[..]);
        // "hello world" as brotli, stored.
        let brotli = [0x0b, 0x05, 0x80, b'h', b'e', b'l', b'l', b'o', b' ', b'w', b'o', b'r', b'l', b'd', 0x03];
        assert_eq!(decode(Some("br"), &brotli, &limits).unwrap(), &b"hello world"[..]);
        assert!(matches!(decode(Some("br"), &brotli[..9], &limits), Err(HttpError::Truncated(_))));
        assert_eq!(decode(Some("gzip"), b"", &limits).unwrap(), &b""[..]);
    }

    #[test]
    fn a_bomb_is_stopped_by_its_ratio_long_before_the_cap() {
        let bomb = gzip(&vec![0; 15 << 20]);
        assert!(bomb.len() < 20_000);
        let error = decode(Some("gzip"), &bomb, &Limits::default()).unwrap_err();
        assert!(matches!(&error, HttpError::TooLarge(text) if text.contains("100-fold")), "{error:?}");
    }

    #[test]
    fn the_cap_counts_decoded_bytes() {
        let limits = Limits { response_body_bytes: 5000, ..Limits::default() };
        assert!(decode(Some("gzip"), &gzip(&[7; 5000]), &limits).is_ok());
        assert!(matches!(decode(Some("gzip"), &gzip(&[7; 5001]), &limits), Err(HttpError::TooLarge(_))));
        assert!(matches!(decode(None, &[7; 5001], &limits), Err(HttpError::TooLarge(_))));
    }

    #[test]
    fn a_cut_or_spoilt_stream_is_no_body() {
        let whole = gzip(b"0123456789 and so on");
        for length in 1..whole.len() {
            assert!(
                matches!(decode(Some("gzip"), &whole[..length], &Limits::default()), Err(HttpError::Truncated(_))),
                "{length}"
            );
        }
        let mut spoilt = whole;
        spoilt[12] ^= 0xff;
        assert!(decode(Some("gzip"), &spoilt, &Limits::default()).is_err());
    }

    #[test]
    fn nested_and_unknown_encodings_are_refused() {
        for encoding in ["gzip, gzip", "gzip,br", "zstd", "deflate", "compress"] {
            assert!(
                matches!(Decoder::new(Some(encoding), &Limits::default()), Err(HttpError::Truncated(_))),
                "{encoding}"
            );
        }
    }
}
