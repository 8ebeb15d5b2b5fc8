//! The process: one SDK worker for each tenant, the readiness line, and the end on SIGTERM.

use crate::activities::Steps;
use crate::engine::{connect, keep_token};
use crate::pdp::Pdp;
use crate::saga::ReferenceSaga;
use crate::service::Services;
use crate::settings::{Deployment, Settings, Tenant};
use futures::future::{join_all, try_join_all};
use serde_json::json;
use std::error::Error;
use std::io::Write;
use std::time::Duration;
use temporalio_client::{Client, ClientOptions, Connection};
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeTaskQueueRequest;
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion,
};
use temporalio_sdk::runtime::PollerBehavior;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tonic::{Code, Request};

type Whatever = Box<dyn Error>;

/// Less than the 10 s of the contract: the rest is for telling the engine.
const GRACE: Duration = Duration::from_secs(5);
const LAST_MOMENT: Duration = Duration::from_secs(9);
/// Many runs begin at once: with the SDK's one poll for new ones they would wait in a row.
const POLLERS: usize = 10;
const NEW_RUNS: f32 = 0.5;
const POLLING_CHECK: Duration = Duration::from_millis(20);

pub async fn run(settings: Settings) -> Result<(), Whatever> {
    let mut terminate = signal(SignalKind::terminate())?;
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let identity = format!("rust-{}", std::process::id());
    // one for each tenant: none waits behind another's bytes
    let connected = settings
        .tenants
        .iter()
        .map(|_| connect(&settings.engine, &identity));
    let connections = tokio::select! {
        all = try_join_all(connected) => all?,
        _ = terminate.recv() => return Ok(()),
    };
    let mut workers = Vec::new();
    for (tenant, connection) in settings.tenants.iter().zip(&connections) {
        let client = Client::new(
            connection.clone(),
            ClientOptions::new(&tenant.namespace).build(),
        )?;
        workers.push(Worker::new(&runtime, client, options(&settings, tenant)?)?);
    }
    let stops: Vec<_> = workers.iter().map(Worker::shutdown_handle).collect();
    let polling = async {
        let polled = settings
            .tenants
            .iter()
            .zip(&connections)
            .map(|(tenant, connection)| polls(connection, tenant, &identity));
        join_all(polled).await;
        say_ready()?;
        terminate.recv().await;
        stops.iter().for_each(|stop| stop());
        sleep(LAST_MOMENT).await; // they end before, or are left where they are
        Ok::<(), Whatever>(())
    };
    tokio::select! {
        ended = try_join_all(workers.iter_mut().map(Worker::run)) => ended.map(drop)?,
        given_up = polling => given_up?,
        () = keep_token(&settings.engine, &connections) => {}
    }
    Ok(())
}

fn options(settings: &Settings, tenant: &Tenant) -> Result<WorkerOptions, Whatever> {
    let steps = Steps {
        pdp: Pdp {
            base: settings.pdp.clone(),
            deadline: settings.pdp_deadline,
        },
        services: Services {
            base: settings.services.clone(),
            deadline: settings.service_deadline,
        },
    };
    let options = WorkerOptions::new(&tenant.task_queue)
        .maybe_deployment_options(settings.deployment.as_ref().map(version))
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
        .nonsticky_to_sticky_poll_ratio(NEW_RUNS)
        .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
        .graceful_shutdown_period(GRACE)
        .register_workflow::<ReferenceSaga>()?
        .register_activities(steps)
        .build();
    Ok(options)
}

/// A run ends on the build that began it.
fn version(deployment: &Deployment) -> WorkerDeploymentOptions {
    let version = WorkerDeploymentVersion::builder()
        .deployment_name(&deployment.name)
        .build_id(&deployment.build_id)
        .build();
    WorkerDeploymentOptions::new(version)
        .use_worker_versioning(true)
        .default_versioning_behavior(VersioningBehavior::Pinned)
        .build()
}

/// Wait until the engine sees this process poll the tenant's queue for both kinds of tasks.
async fn polls(connection: &Connection, tenant: &Tenant, identity: &str) {
    for kind in [TaskQueueType::Workflow, TaskQueueType::Activity] {
        while !is_polled(connection, tenant, identity, kind).await {
            sleep(POLLING_CHECK).await;
        }
    }
}

/// No answer is no yes.
async fn is_polled(
    connection: &Connection,
    tenant: &Tenant,
    identity: &str,
    kind: TaskQueueType,
) -> bool {
    let question = DescribeTaskQueueRequest {
        namespace: tenant.namespace.clone(),
        task_queue: Some(TaskQueue {
            name: tenant.task_queue.clone(),
            ..Default::default()
        }),
        task_queue_type: kind.into(),
        ..Default::default()
    };
    let mut engine = connection.workflow_service();
    match engine.describe_task_queue(Request::new(question)).await {
        Ok(answer) => {
            let pollers = answer.into_inner().pollers;
            pollers.iter().any(|poller| poller.identity == identity)
        }
        // who polls cannot be asked everywhere: then that we do is all that can be known
        Err(status) => status.code() == Code::Unimplemented,
    }
}

fn say_ready() -> Result<(), Whatever> {
    let ready = json!({
        "contract": "1.0",
        "language": "rust",
        "sdk": "temporalio-sdk 1.1.1",
        "lacks": [],
    });
    let mut output = std::io::stdout();
    writeln!(output, "HARNESS-READY {ready}")?;
    output.flush()?;
    Ok(())
}
