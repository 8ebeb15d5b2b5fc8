//! Payloads (contract §2): one `json/plain` object each, read and written here and nowhere else.
//!
//! The SDK's typed arguments fail the workflow task when they do not fit, and that is retried for
//! ever; so everything that arrives is taken raw and decoded by our own code, which can answer.

use serde::Serialize;
use serde_json::value::RawValue as Json;
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::Payload;

const NULL: &str = "null";

/// One payload from a value that serialises to a JSON object.
pub fn encode(value: &impl Serialize) -> RawValue {
    let data = serde_json::to_vec(value).expect("our own documents are JSON");
    let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
    RawValue::new(vec![Payload {
        metadata,
        data,
        ..Default::default()
    }])
}

/// The JSON text of the first payload, or why there is none. A missing argument, zero payloads and
/// `binary/null` are all `null`.
pub fn decode(raw: &RawValue) -> Result<Box<Json>, String> {
    let Some(payload) = raw.payloads.first() else {
        return Ok(null());
    };
    let encoding = payload
        .metadata
        .get("encoding")
        .map_or(&b""[..], Vec::as_slice);
    match encoding {
        b"binary/null" => Ok(null()),
        b"json/plain" => {
            serde_json::from_slice(&payload.data).map_err(|error| format!("not JSON: {error}"))
        }
        other => Err(format!("encoding {:?}", String::from_utf8_lossy(other))),
    }
}

fn null() -> Box<Json> {
    Json::from_string(NULL.to_owned()).expect("null is JSON")
}
