//! The eight activities: each attempt asks the PDP, then calls the service, each exactly once (§5).

#![allow(dead_code)] // the macro makes names for callers in Rust

use crate::call::{Attempt, Call};
use crate::failure::Refusal;
use crate::payload;
use crate::pdp::Pdp;
use crate::service::Services;
use serde::Serialize;
use serde_json::value::RawValue as Json;
use std::future::pending;
use std::sync::Arc;
use temporalio_common::data_converters::RawValue;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::interval;

pub struct Steps {
    pub pdp: Pdp,
    pub services: Services,
}

#[derive(Serialize)]
struct Done {
    result: Box<Json>,
}

impl Steps {
    /// One attempt, given up when it is cancelled.
    async fn perform(&self, context: &ActivityContext, raw: &RawValue) -> Outcome {
        tokio::select! {
            biased;
            () = context.cancelled() => Err(ActivityError::cancelled()),
            never = beats(context) => never,
            done = self.attempt(context, raw) => done,
        }
    }

    async fn attempt(&self, context: &ActivityContext, raw: &RawValue) -> Outcome {
        let info = context.info();
        let call = payload::decode(raw)
            .and_then(|text| Call::read(&text))
            .and_then(|call| check_type(call, &info.activity_type))
            .map_err(Refusal::misfit)?;
        let attempt = Attempt::new(call, info);
        let number = info.attempt;
        let refused = |refusal: Refusal| refusal.in_attempt(number);
        self.pdp.authorize(&attempt).await.map_err(refused)?;
        let result = self.services.call(&attempt).await.map_err(refused)?;
        Ok(payload::encode(&Done { result }))
    }
}

type Outcome = Result<RawValue, ActivityError>;

fn check_type(call: Call, activity_type: &str) -> Result<Call, String> {
    if call.activity_type() == activity_type {
        Ok(call)
    } else {
        Err(format!(
            "{} was asked of {activity_type}",
            call.activity_type()
        ))
    }
}

/// Beats at a third of the heartbeat timeout, if there is one; never ends by itself.
async fn beats(context: &ActivityContext) -> Outcome {
    let Some(limit) = context
        .info()
        .heartbeat_timeout
        .filter(|limit| !limit.is_zero())
    else {
        return pending().await;
    };
    let mut third = interval(limit / 3);
    loop {
        third.tick().await;
        context.record_heartbeat(()).await?;
    }
}

// The macro reads the return type as it is written, so it is written out.
#[activities]
impl Steps {
    #[activity(name = "rms.reserve")]
    async fn rms_reserve(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "rms.release")]
    async fn rms_release(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "ams.grant")]
    async fn ams_grant(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "ams.revoke")]
    async fn ams_revoke(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "cpms.provision")]
    async fn cpms_provision(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "cpms.deprovision")]
    async fn cpms_deprovision(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "bss.charge")]
    async fn bss_charge(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }

    #[activity(name = "bss.refund")]
    async fn bss_refund(
        self: Arc<Self>,
        context: ActivityContext,
        call: RawValue,
    ) -> Result<RawValue, ActivityError> {
        self.perform(&context, &call).await
    }
}
