//! Asking the PDP (§5.2): once for each attempt, and whatever is not plainly an allow is none.

use crate::call::{Attempt, fresh_request_id};
use crate::failure::Refusal;
use crate::http::{self, Answer, Base};
use crate::members::Members;
use crate::seeded::{self, Defect};
use crate::strict_json;
use serde_json::json;
use serde_json::value::RawValue as Json;
use std::time::Duration;
use tokio::time::timeout;

const PATH: &str = "/access/v1/evaluation";
const BODY_LIMIT: usize = 64 * 1024;

#[derive(Clone)]
pub struct Pdp {
    pub base: Base,
    /// for the whole exchange, from connecting to the last byte
    pub deadline: Duration,
}

impl Pdp {
    /// Nothing if the attempt is allowed; otherwise how it fails.
    pub async fn authorize(&self, attempt: &Attempt) -> Result<(), Refusal> {
        if seeded::was_allowed_before(attempt) {
            return Ok(());
        }
        let request_id = fresh_request_id();
        let headers = attempt.headers(&request_id);
        let question = question(attempt);
        let exchange = http::post(&self.base, PATH, &headers, question.as_bytes(), BODY_LIMIT);
        let decision = match timeout(self.deadline, exchange).await {
            Err(_) => Err(format!("no decision within {:?}", self.deadline)),
            Ok(Err(broken)) => Err(broken.to_string()),
            Ok(Ok(answer)) => decision(&answer, &request_id),
        };
        match decision {
            Ok(true) => {
                seeded::is_allowed(attempt);
                Ok(())
            }
            Ok(false) => Err(Refusal::denied("the PDP denied it")),
            Err(reason) => Err(Refusal::undecided(format!("the PDP: {reason}"))),
        }
    }
}

fn question(attempt: &Attempt) -> String {
    let call = &attempt.call;
    json!({
        "subject": {"type": "tenant", "id": call.tenant},
        "action": {"name": call.activity_type()},
        "resource": {
            "type": call.service,
            "id": call.resource,
            "properties": {"tenant": call.tenant},
        },
        "context": {
            "saga_id": call.saga_id,
            "step": call.step,
            "direction": call.direction.name(),
        },
    })
    .to_string()
}

/// The decision in an answer, or why it is none.
fn decision(answer: &Answer, request_id: &str) -> Result<bool, String> {
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    check_headers(answer, request_id)?;
    let members = Members::of(strict_json::read(&answer.body)?)?;
    if let Some(context) = members.get("context")
        && !seeded::has(Defect::AnyContext)
    {
        check_context(context)?;
    }
    match members.get("decision").map(Json::get) {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err("decision is not a boolean".to_owned()),
    }
}

fn check_headers(answer: &Answer, request_id: &str) -> Result<(), String> {
    let header = |name| answer.header(name).map_err(|broken| broken.to_string());
    let media_type = header("Content-Type")?
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("");
    if !media_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(format!("media type {media_type:?}"));
    }
    if let Some(theirs) = header("X-Request-ID")?
        && theirs != request_id
    {
        return Err("an answer to another request".to_owned());
    }
    match header("Age")? {
        Some(age) if age.is_empty() || age.bytes().any(|digit| digit != b'0') => {
            Err(format!("age {age:?}"))
        }
        _ => Ok(()),
    }
}

fn check_context(context: &Json) -> Result<(), String> {
    let context = Members::of(context).map_err(|misfit| format!("context is {misfit}"))?;
    if context.get("error").is_some() {
        return Err("an error in its context".to_owned());
    }
    match context.get("obligations").map(is_empty) {
        Some(false) => Err("obligations, which nobody here fulfils".to_owned()),
        _ => Ok(()),
    }
}

/// `[]` and `{}`, as they may be written; anything else asks for something.
fn is_empty(obligations: &Json) -> bool {
    let text: String = obligations
        .get()
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .collect();
    matches!(text.as_str(), "[]" | "{}")
}
