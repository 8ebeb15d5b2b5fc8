//! One call of a saga's step: the activity's argument, and the headers of both requests (§5).

use crate::members::{Members, Misfit};
use crate::seeded::{self, Defect};
use serde::Serialize;
use serde_json::value::RawValue as Json;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use temporalio_sdk::activities::ActivityInfo;

/// The argument of every activity.
#[derive(Clone, Serialize)]
pub struct Call {
    pub tenant: String,
    pub saga_id: String,
    pub step: usize,
    pub direction: Direction,
    pub service: String,
    pub operation: String,
    pub resource: String,
    pub amount: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Forward,
    Compensation,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Compensation => "compensation",
        }
    }
}

impl Call {
    pub fn read(text: &Json) -> Result<Self, Misfit> {
        let members = Members::of(text)?;
        let direction = match members.text("direction")?.as_str() {
            "forward" => Direction::Forward,
            "compensation" => Direction::Compensation,
            other => return Err(format!("direction {other:?}")),
        };
        Ok(Self {
            tenant: members.identity("tenant")?,
            saga_id: members.identity("saga_id")?,
            step: members.whole("step", 0, 9999)? as usize,
            direction,
            service: members.text("service")?,
            operation: members.text("operation")?,
            resource: members.text("resource")?,
            amount: members.text("amount")?,
        })
    }

    pub fn activity_type(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }

    /// One trace for the whole saga, a span for each request.
    fn traceparent(&self) -> String {
        let digest = Sha256::digest(format!("{}/{}", self.tenant, self.saga_id));
        format!("00-{}-{}-01", hex(&digest[..16]), fresh_hex::<8>())
    }
}

/// Where and as which attempt a call is made.
pub struct Attempt {
    pub call: Call,
    pub workflow_id: String,
    pub run_id: String,
    pub number: u32,
}

impl Attempt {
    pub fn new(call: Call, info: &ActivityInfo) -> Self {
        Self {
            call,
            workflow_id: info.workflow_id.clone().unwrap_or_default(),
            run_id: info.workflow_run_id.clone().unwrap_or_default(),
            number: info.attempt,
        }
    }

    /// From business identity alone, so that no retry, reset or continuation changes it.
    fn idempotency_key(&self) -> String {
        let call = &self.call;
        let key = format!("{}:{}:{}", call.saga_id, call.step, call.direction.name());
        if seeded::has(Defect::AttemptInKey) {
            return format!("{key}:{}", self.number);
        }
        key
    }

    /// The headers of one request; `X-Request-ID` and the span are fresh each time.
    pub fn headers(&self, request_id: &str) -> Vec<(&'static str, String)> {
        let call = &self.call;
        vec![
            ("X-Tenant", call.tenant.clone()),
            ("X-Saga-Id", call.saga_id.clone()),
            ("X-Saga-Step", call.step.to_string()),
            ("X-Saga-Direction", call.direction.name().to_owned()),
            ("X-Workflow-Id", visible(&self.workflow_id)),
            ("X-Workflow-Run-Id", visible(&self.run_id)),
            ("X-Attempt", self.number.to_string()),
            ("Idempotency-Key", self.idempotency_key()),
            ("X-Request-ID", request_id.to_owned()),
            ("traceparent", call.traceparent()),
            ("Content-Type", "application/json".to_owned()),
        ]
    }
}

pub fn fresh_request_id() -> String {
    fresh_hex::<16>()
}

/// `N` bytes of the system's randomness, in hex: for activities, never for workflow code.
fn fresh_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An id that Temporal took may hold anything; in a header it must not end the line.
fn visible(id: &str) -> String {
    id.bytes().fold(String::new(), |mut text, byte| {
        let _ = match byte {
            b'!'..=b'~' => text.write_char(byte.into()),
            _ => write!(text, "%{byte:02X}"),
        };
        text
    })
}
