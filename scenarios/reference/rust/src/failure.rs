//! The failure types of the contract (§6). They are told apart by their type alone.

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

/// How an attempt fails.
pub struct Refusal {
    kind: &'static str,
    message: String,
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
        }
    }
}

impl From<Refusal> for ActivityError {
    fn from(refusal: Refusal) -> Self {
        Self::application(of_type(refusal.kind, refusal.message))
    }
}

/// An application failure without details.
pub fn of_type(kind: &'static str, message: String) -> ApplicationFailure {
    ApplicationFailure::builder(message)
        .type_name(kind.to_owned())
        .non_retryable(NOT_RETRIED.contains(&kind))
        .build()
}
