//! Calling a service (§5.3).

use crate::call::{Attempt, fresh_request_id};
use crate::failure::Refusal;
use crate::http::{self, Answer, Base};
use crate::members::Members;
use serde_json::json;
use serde_json::value::RawValue as Json;
use std::time::Duration;
use tokio::time::timeout;

const BODY_LIMIT: usize = 16 * 1024 * 1024;

#[derive(Clone)]
pub struct Services {
    pub base: Base,
    /// for the whole exchange, from connecting to the last byte
    pub deadline: Duration,
}

impl Services {
    /// The service's result as it came, or how the attempt fails.
    pub async fn call(&self, attempt: &Attempt) -> Result<Box<Json>, Refusal> {
        let call = &attempt.call;
        let path = format!("/{}/{}", call.service, call.operation);
        let body = json!({
            "tenant": call.tenant,
            "saga_id": call.saga_id,
            "step": call.step,
            "direction": call.direction.name(),
            "resource": call.resource,
            "amount": call.amount,
        })
        .to_string();
        let headers = attempt.headers(&fresh_request_id());
        let exchange = http::post(&self.base, &path, &headers, body.as_bytes(), BODY_LIMIT);
        match timeout(self.deadline, exchange).await {
            Err(_) => {
                let reason = format!("no answer within {:?}", self.deadline);
                Err(Refusal::unavailable(format!("{}: {reason}", call.service)))
            }
            Ok(Err(broken)) => Err(Refusal::unavailable(format!("{}: {broken}", call.service))),
            Ok(Ok(answer)) => judge(&call.service, &answer),
        }
    }
}

fn judge(service: &str, answer: &Answer) -> Result<Box<Json>, Refusal> {
    let status = format!("{service}: status {}", answer.status);
    match answer.status {
        200 => result(&answer.body)
            .ok_or_else(|| Refusal::unavailable(format!("{service}: 200 without a result"))),
        422 => Err(Refusal::business(status)),
        408 | 429 => Err(Refusal::unavailable(status)),
        400..=499 => Err(Refusal::rejected(status)),
        _ => Err(Refusal::unavailable(status)),
    }
}

fn result(body: &[u8]) -> Option<Box<Json>> {
    let answer: Box<Json> = serde_json::from_slice(body).ok()?;
    let result = Members::of(&answer).ok()?.get("result")?.to_owned();
    Members::of(&result).ok()?;
    Some(result)
}
