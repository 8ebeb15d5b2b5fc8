//! Defects on purpose, so that it is seen that the harness finds them in a worker of this language.
//!
//! Only a build with the feature `seeded-defects` has any; it takes one from `SEEDED_DEFECT`. The
//! worker proper is built without, and then nothing of this is left.

#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "seeded-defects"), allow(dead_code))]
pub enum Defect {
    /// an allow counts whatever its context says
    AnyContext,
    /// a question that was allowed once is not asked again
    AskOnce,
    /// the idempotency key is another one for each attempt
    AttemptInKey,
    /// compensations in the order of the steps
    ForwardCompensation,
    /// a step's result is not what the service said
    ChangedResult,
    /// activities are asked for another amount
    ChangedInput,
    /// timers are a little longer
    LongerTimer,
    /// a timer before each step
    TimerBefore,
}

pub use chosen::{choose, has, is_allowed, was_allowed_before};

#[cfg(feature = "seeded-defects")]
mod chosen {
    use super::Defect;
    use crate::call::Attempt;
    use std::collections::BTreeSet;
    use std::sync::{Mutex, OnceLock};

    static CHOSEN: OnceLock<Option<Defect>> = OnceLock::new();
    static ALLOWED: Mutex<BTreeSet<(String, usize)>> = Mutex::new(BTreeSet::new());

    /// Before anything else is done, as workflow code reads no environment.
    pub fn choose() -> Result<(), String> {
        let defect = match std::env::var("SEEDED_DEFECT").unwrap_or_default().as_str() {
            "" => None,
            "any-context" => Some(Defect::AnyContext),
            "ask-once" => Some(Defect::AskOnce),
            "attempt-in-key" => Some(Defect::AttemptInKey),
            "forward-compensation" => Some(Defect::ForwardCompensation),
            "changed-result" => Some(Defect::ChangedResult),
            "changed-input" => Some(Defect::ChangedInput),
            "longer-timer" => Some(Defect::LongerTimer),
            "timer-before" => Some(Defect::TimerBefore),
            other => return Err(format!("SEEDED_DEFECT: no defect is called {other:?}")),
        };
        CHOSEN.set(defect).map_err(|_| "chosen twice".to_owned())
    }

    pub fn has(defect: Defect) -> bool {
        CHOSEN.get() == Some(&Some(defect))
    }

    pub fn was_allowed_before(attempt: &Attempt) -> bool {
        has(Defect::AskOnce) && ALLOWED.lock().unwrap().contains(&question(attempt))
    }

    pub fn is_allowed(attempt: &Attempt) {
        ALLOWED.lock().unwrap().insert(question(attempt));
    }

    fn question(attempt: &Attempt) -> (String, usize) {
        (attempt.call.saga_id.clone(), attempt.call.step)
    }
}

#[cfg(not(feature = "seeded-defects"))]
mod chosen {
    use super::Defect;
    use crate::call::Attempt;

    pub const fn choose() -> Result<(), String> {
        Ok(())
    }

    pub const fn has(_: Defect) -> bool {
        false
    }

    pub const fn was_allowed_before(_: &Attempt) -> bool {
        false
    }

    pub const fn is_allowed(_: &Attempt) {}
}
