//! The failure types of the contract (§6). They are told apart by their type alone.

use crate::payload;
use serde_json::{Value, json};
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

pub const INVALID_INPUT: &str = "InvalidInput";
pub const AUTHORIZATION_DENIED: &str = "AuthorizationDenied";
pub const AUTHORIZATION_UNAVAILABLE: &str = "AuthorizationUnavailable";
pub const BUSINESS_FAILURE: &str = "BusinessFailure";
pub const SERVICE_REJECTED: &str = "ServiceRejected";
pub const SERVICE_UNAVAILABLE: &str = "ServiceUnavailable";
pub const SAGA_FAILED: &str = "SagaFailed";
/// As causes in `SagaFailed` only.
pub const TIMEOUT: &str = "Timeout";
pub const CHILD_FAILED: &str = "ChildFailed";

pub const NOT_RETRIED: [&str; 5] = [
    INVALID_INPUT,
    AUTHORIZATION_DENIED,
    BUSINESS_FAILURE,
    SERVICE_REJECTED,
    SAGA_FAILED,
];

/// How an attempt fails, and which one it was.
pub struct Refusal {
    kind: &'static str,
    message: String,
    attempt: u32,
}

impl Refusal {
    pub fn misfit(message: impl Into<String>) -> Self {
        Self::of(INVALID_INPUT, message)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::of(AUTHORIZATION_DENIED, message)
    }

    pub fn undecided(message: impl Into<String>) -> Self {
        Self::of(AUTHORIZATION_UNAVAILABLE, message)
    }

    pub fn business(message: impl Into<String>) -> Self {
        Self::of(BUSINESS_FAILURE, message)
    }

    pub fn rejected(message: impl Into<String>) -> Self {
        Self::of(SERVICE_REJECTED, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::of(SERVICE_UNAVAILABLE, message)
    }

    fn of(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            attempt: 1,
        }
    }

    pub fn in_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }
}

impl From<Refusal> for ActivityError {
    fn from(refusal: Refusal) -> Self {
        let detail = payload::encode(&json!({"attempt": refusal.attempt}));
        Self::application(
            ApplicationFailure::builder(refusal.message)
                .type_name(refusal.kind.to_owned())
                .non_retryable(NOT_RETRIED.contains(&refusal.kind))
                .details(detail)
                .build(),
        )
    }
}

/// The attempt that a failure of an activity tells, 1 where it tells none.
pub fn attempt_of(failure: &ApplicationFailure) -> u64 {
    let detail = failure.raw_details().and_then(<[_]>::first);
    let told: Option<Value> = detail.and_then(|each| serde_json::from_slice(&each.data).ok());
    told.and_then(|told| told["attempt"].as_u64()).unwrap_or(1)
}

/// An application failure without details.
pub fn of_type(kind: &'static str, message: String) -> ApplicationFailure {
    ApplicationFailure::builder(message)
        .type_name(kind.to_owned())
        .non_retryable(NOT_RETRIED.contains(&kind))
        .build()
}
