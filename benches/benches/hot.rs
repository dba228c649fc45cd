//! What every record, request or doorbell passes through, each alone: `cargo xtask bench --only hot`.
//!
//! Where a group has a row `bare`, that is the least that such work can be, in the same run: read the others as multiples of
//! it.

#![expect(clippy::unwrap_used, reason = "nothing here is shipped")]

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use mimalloc::MiMalloc;
use syncline::domain::{Interaction, RecordState};

/// The host's own.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Records of a page, as a list of HubSpot's has them.
const PAGE: usize = 100;

fn main() {
    divan::main();
}

/// A contact of some 600 bytes.
fn contact(id: usize) -> String {
    serde_json::json!({
        "id": id.to_string(), "createdAt": "2026-01-02T03:04:05.678Z", "updatedAt": "2026-10-20T11:12:13.141Z",
        "archived": false, "url": format!("https://app.example.test/contacts/1/record/0-1/{id}"),
        "properties": {
            "email": format!("person.{id}@customer.example.test"), "firstname": "Ma\u{eb}lle", "lastname": format!("Okonkwo {id}"),
            "phone": "+41 44 668 18 00", "company": "Birch & Sons \"Ltd\"", "lifecyclestage": "opportunity",
            "hs_object_id": id.to_string(), "createdate": "2026-01-02T03:04:05.678Z",
            "lastmodifieddate": "2026-10-20T11:12:13.141Z", "city": "Z\u{fc}rich", "country": "Switzerland",
            "jobtitle": "Head of Procurement", "hs_lead_status": null, "num_notes": "12"
        }
    })
    .to_string()
}

fn contacts() -> Vec<String> {
    (0..PAGE).map(|place| contact(4_000_000 + place)).collect()
}

fn page() -> Vec<Interaction> {
    let interaction = |(place, data): (usize, String)| Interaction {
        id: (4_000_000 + place).to_string(),
        version: None,
        updated_at: Some("2026-10-20T11:12:13.141Z".to_owned()),
        state: RecordState::Present,
        data,
    };
    contacts().into_iter().enumerate().map(interaction).collect()
}

fn bytes_of(records: &[String]) -> usize {
    records.iter().map(String::len).sum()
}

/// A page in the connector: its answer's text to records.
mod read {
    use super::{Bencher, BytesCount, ItemsCount, PAGE, black_box, contacts};

    fn answer() -> syncline_sdk::Response {
        let body = format!("{{\"results\":[{}],\"paging\":{{\"next\":{{\"after\":\"7\"}}}}}}", contacts().join(","));
        syncline_sdk::Response { status: 200, headers: Vec::new(), body: body.into_bytes(), attributes: Vec::new() }
    }

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Known<'a> {
        id: &'a str,
        updated_at: &'a str,
    }

    /// The walk over the text, and nothing kept of it.
    #[divan::bench]
    fn bare(bencher: Bencher<'_, '_>) {
        let answer = answer();
        bencher
            .counter(BytesCount::new(answer.body.len()))
            .counter(ItemsCount::new(PAGE))
            .bench_local(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&answer.body)).unwrap());
    }

    #[divan::bench]
    fn rows(bencher: Bencher<'_, '_>) {
        let answer = answer();
        bencher.counter(BytesCount::new(answer.body.len())).counter(ItemsCount::new(PAGE)).bench_local(|| {
            let (rows, _): (Vec<syncline_sdk::Row<'_, Known<'_>>>, serde_json::Value) =
                black_box(&answer).rows("results").unwrap();
            rows.iter().map(|row| row.known.id.len() + row.known.updated_at.len() + row.raw.len()).sum::<usize>()
        });
    }
}

/// A page as it is stored between retriever and processor.
mod batch {
    use syncline::domain::batch;

    use super::{Bencher, ItemsCount, PAGE, black_box, page};

    /// Its bytes copied once.
    #[divan::bench]
    fn bare(bencher: Bencher<'_, '_>) {
        let payload = batch::encode(&page()).unwrap();
        bencher.counter(ItemsCount::new(PAGE)).bench_local(|| black_box(&payload).clone());
    }

    #[divan::bench]
    fn encode(bencher: Bencher<'_, '_>) {
        let page = page();
        bencher.counter(ItemsCount::new(PAGE)).bench_local(|| batch::encode(black_box(&page)));
    }

    #[divan::bench]
    fn decode(bencher: Bencher<'_, '_>) {
        let payload = batch::encode(&page()).unwrap();
        bencher.counter(ItemsCount::new(PAGE)).bench_local(|| batch::decode(black_box(&payload)).unwrap().len());
    }
}

/// A page before it lands: checked, hashed, the newest of each id.
mod land {
    use syncline::domain::{ObjectId, batch};
    use syncline::process::prepare::{self, Validator};
    use syncline::store::landing::{CommittedBatch, LandingObject};

    use super::{Bencher, BytesCount, ItemsCount, PAGE, black_box, bytes_of, contacts, page};

    /// The kind of schema that nearly all objects have.
    const TYPES: &str = r#"{"type":"object","required":["id","properties"],"properties":{"id":{"type":"string"},
        "updatedAt":{"type":"string"},"archived":{"type":"boolean"},"properties":{"type":"object"}}}"#;
    /// One that only the whole validator can judge.
    const LENGTH: &str = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string","minLength":1}}}"#;

    /// The walk over every record's JSON.
    #[divan::bench]
    fn bare(bencher: Bencher<'_, '_>) {
        let records = contacts();
        bencher.counter(BytesCount::new(bytes_of(&records))).counter(ItemsCount::new(PAGE)).bench_local(|| {
            for record in black_box(&records) {
                serde_json::from_str::<serde::de::IgnoredAny>(record).unwrap();
            }
        });
    }

    #[divan::bench(args = ["any object", "types", "length"])]
    fn prepare(bencher: Bencher<'_, '_>, schema: &str) {
        let validator = match schema {
            "types" => prepare::validator(TYPES),
            "length" => prepare::validator(LENGTH),
            _ => Validator::AnyObject,
        };
        let known = LandingObject { integration_id: 1, record_schema: String::new() };
        let batches = [CommittedBatch { id: 1, seq: 1, payload: batch::encode(&page()), sweep_seq: None }];
        bencher.counter(BytesCount::new(bytes_of(&contacts()))).counter(ItemsCount::new(PAGE)).bench_local(|| {
            let landing = prepare::landing(ObjectId(1), &known, black_box(&batches), &validator, 0.5);
            assert_eq!(landing.rows.len(), PAGE);
        });
    }
}

/// A request at the gate, and what comes back.
mod egress {
    use secrecy::SecretString;
    use syncline::egress::{address, patterns};
    use syncline::secrets::Redactor;

    use super::{Bencher, BytesCount, black_box, contacts};

    #[divan::bench]
    fn read_and_judge_an_address(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| address::refusal(black_box("203.0.114.7".parse().unwrap())));
    }

    #[divan::bench]
    fn match_a_host(bencher: Bencher<'_, '_>) {
        let pattern = patterns::bind("*.my.salesforce.com", &serde_json::json!({})).unwrap();
        let host = url::Host::parse("customer-7.my.salesforce.com").unwrap();
        bencher.bench_local(|| black_box(&pattern).matches_host(black_box(&host)));
    }

    /// One search for one text.
    #[divan::bench]
    fn bare(bencher: Bencher<'_, '_>) {
        let text = contacts().join(",");
        bencher.counter(BytesCount::new(text.len())).bench_local(|| black_box(&text).contains("no such text"));
    }

    #[divan::bench]
    fn redact(bencher: Bencher<'_, '_>) {
        let secrets = ["pat-na1-01234567-89ab-cdef", "a refresh token of some length"].map(SecretString::from);
        let (redactor, text) = (Redactor::new(&secrets), contacts().join(","));
        bencher.counter(BytesCount::new(text.len())).bench_local(|| redactor.redact(black_box(&text)).len());
    }
}

/// A doorbell's text.
mod message {
    use syncline::domain::{ObjectId, RunId};
    use syncline::queue::Message;

    use super::{Bencher, black_box};

    #[divan::bench]
    fn there_and_back(bencher: Bencher<'_, '_>) {
        let message = Message::Retrieve { run: RunId(123_456), object: ObjectId(9_876) };
        bencher.bench_local(|| Message::decode(&black_box(&message).encode()).unwrap());
    }
}
