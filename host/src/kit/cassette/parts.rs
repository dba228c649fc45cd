//! A cassette in parts: what the slices of one run leave, each compressed on its own, and joined when somebody asks.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Cassette, CassetteError, MAX_BYTES};

/// The text without white space, compressed; and how many bytes it had before.
///
/// # Errors
/// [`CassetteError::File`], which memory does not give cause for.
pub fn pack(cassette: &Cassette) -> Result<(Vec<u8>, u64), CassetteError> {
    let text = serde_json::to_vec(cassette).map_err(std::io::Error::from)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&text)?;
    Ok((packed.finish()?, text.len() as u64))
}

/// The cassette that was packed.
///
/// # Errors
/// [`CassetteError`] when it is none, or larger than any.
pub fn unpack(packed: &[u8]) -> Result<Cassette, CassetteError> {
    let mut text = Vec::new();
    let read = GzDecoder::new(packed).take(MAX_BYTES + 1).read_to_end(&mut text)? as u64;
    if read > MAX_BYTES { Err(CassetteError::TooLarge(read)) } else { Cassette::parse(&text) }
}

/// The parts as one: connector, time and configuration of the first, the calls of all; none without parts.
pub fn join(parts: impl IntoIterator<Item = Cassette>) -> Option<Cassette> {
    parts.into_iter().reduce(|mut whole, part| {
        whole.calls.extend(part.calls);
        whole.left_out += part.left_out;
        whole
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::kit::cassette::body::Body;
    use crate::kit::cassette::{Answer, Call, Exchange, Function, Made, Request};

    fn part(cursor: Option<&str>, body: &'static [u8], left_out: u64) -> Cassette {
        let made = Made { name: "crm".to_owned(), version: "1.0.0".to_owned(), digest: String::new() };
        let request = Request {
            method: "GET".to_owned(),
            url: "https://api.example/people".to_owned(),
            headers: Vec::new(),
            body: Body::default(),
        };
        let answer = Answer { status: 200, headers: Vec::new(), body: Body::of(Bytes::from_static(body)) };
        let exchange = Exchange { request, response: Some(answer), failure: None, took_ms: 3 };
        let call = Call {
            call: Function::Fetch,
            object: Some("people".to_owned()),
            cursor: cursor.map(str::to_owned),
            exchanges: vec![exchange],
            outcome: None,
        };
        let mut cassette = Cassette::new(made, 1_000, json!({"portal": 7}), "token".to_owned(), 100);
        cassette.calls.push(call);
        cassette.left_out = left_out;
        cassette
    }

    #[test]
    fn what_is_packed_comes_back_to_the_byte_and_parts_are_joined_in_order() {
        let bodies: [&[u8]; 2] = [b"{\"id\": 12345678901234567890, \"amount\": 1.10}", b"\xff\x00"];
        let (first, second) = (part(None, bodies[0], 0), part(Some("c1"), bodies[1], 2));
        let (packed, text_bytes) = pack(&first).unwrap();
        assert_eq!(text_bytes, serde_json::to_string(&first).unwrap().len() as u64);
        let parts = [packed, pack(&second).unwrap().0].map(|packed| unpack(&packed).unwrap());
        let whole = join(parts).unwrap();
        let back = Cassette::parse(whole.to_text().as_bytes()).unwrap();
        assert_eq!((back.recorded_at_ms(), back.left_out, back.config), (1_000, 2, json!({"portal": 7})));
        for (call, (cursor, body)) in back.calls.iter().zip([None, Some("c1")].into_iter().zip(bodies)) {
            assert_eq!(call.cursor.as_deref(), cursor);
            assert_eq!(call.exchanges[0].response.as_ref().unwrap().body.bytes(), body);
        }
        assert_eq!(back.calls.len(), 2);
        assert!(join([]).is_none());
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert!(matches!(unpack(b"no gzip"), Err(CassetteError::File(_))));
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"{}").unwrap();
        assert!(matches!(unpack(&packed.finish().unwrap()), Err(CassetteError::Malformed { .. })));
    }
}
