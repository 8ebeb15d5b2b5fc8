//! The workflow `ReferenceSaga` (contract §4).
//!
//! Deterministic: it reads its argument, its signals and what the SDK tells it, and nothing else.

use crate::call::{Call, Direction};
use crate::failure::{self, of_type};
use crate::members::{Members, Misfit};
use crate::payload;
use crate::program::{Node, Program, Progress, Retry, Signal, Step, StepResult};
use crate::seeded::{self, Defect};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue as Json;
use std::rc::Rc;
use std::time::Duration;
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::IncomingError;
use temporalio_common::{RetryPolicy, UntypedActivity, UntypedWorkflow};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityCancellationType, ActivityCloseTimeouts, ActivityExecutionError, ActivityOptions,
    ApplicationFailure, ChildWorkflowOptions, ContinueAsNewOptions, SyncWorkflowContext,
    TimerResult, WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
    WorkflowTermination,
};

pub const NAME: &str = "ReferenceSaga";
const SCHEDULE_TO_CLOSE: Duration = Duration::from_secs(60);
const COMPENSATION_ATTEMPTS: u32 = 10;

#[workflow]
pub struct ReferenceSaga {
    program: Result<Rc<Program>, Misfit>,
    phase: Phase,
    results: Vec<StepResult>,
    compensated: Vec<usize>,
    signals: Vec<Signal>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Running,
    Waiting,
    Compensating,
    Completed,
    Failed,
    Cancelled,
}

/// Why the nodes were not executed to the last one. `unknown` is the step whose outcome is not
/// known, if there is one.
enum Stop {
    ContinueAsNew {
        next: usize,
    },
    Cancelled {
        unknown: Option<usize>,
    },
    Failed {
        at: usize,
        cause: &'static str,
        unknown: Option<usize>,
    },
}

#[workflow_methods]
impl ReferenceSaga {
    #[init]
    fn new(_ctx: &WorkflowContextView, argument: RawValue) -> Self {
        let mut program = payload::decode(&argument).and_then(|text| Program::read(&text));
        let reached = program.as_mut().map(|it| std::mem::take(&mut it.progress));
        let Progress {
            next,
            results,
            signals,
        } = reached.unwrap_or_default();
        if let Ok(program) = &mut program {
            program.progress.next = next;
        }
        Self {
            program: program.map(Rc::new),
            phase: Phase::Running,
            results,
            compensated: Vec::new(),
            signals,
        }
    }

    #[run(name = "ReferenceSaga")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<RawValue> {
        let program = match ctx.state(|saga| saga.program.clone()) {
            Ok(program) => program,
            Err(misfit) => {
                ctx.state_mut(|saga| saga.phase = Phase::Failed);
                return Err(of_type(failure::INVALID_INPUT, misfit).into());
            }
        };
        match forward(ctx, &program).await {
            Ok(()) => {
                ctx.state_mut(|saga| saga.phase = Phase::Completed);
                Ok(ctx.state(|saga| saga.result(&program)))
            }
            Err(Stop::ContinueAsNew { next }) => {
                let progress = ctx.state(|saga| saga.progress(next));
                let argument = payload::encode(&program.continued(&progress));
                match ctx.continue_as_new(argument, ContinueAsNewOptions::default())? {}
            }
            Err(Stop::Cancelled { unknown }) => {
                compensate(ctx, &program, unknown).await;
                ctx.state_mut(|saga| saga.phase = Phase::Cancelled);
                Err(WorkflowTermination::cancelled())
            }
            Err(Stop::Failed { at, cause, unknown }) => {
                let whole = compensate(ctx, &program, unknown).await;
                ctx.state_mut(|saga| saga.phase = Phase::Failed);
                Err(ctx
                    .state(|saga| saga.failure(&program, at, cause, whole))
                    .into())
            }
        }
    }

    /// A signal that does not fit is ignored: it must not stop the run that it came to.
    #[signal(name = "deliver")]
    fn deliver(&mut self, _ctx: &mut SyncWorkflowContext<Self>, argument: RawValue) {
        if let Ok(signal) = read_signal(&argument)
            && self.signals.iter().all(|known| known.id != signal.id)
        {
            self.signals.push(signal);
        }
    }

    #[query(name = "state")]
    fn state(&self, _ctx: &WorkflowContextView, _argument: RawValue) -> RawValue {
        let (saga_id, tenant) = match &self.program {
            Ok(program) => (program.saga_id.as_str(), program.tenant.as_str()),
            Err(_) => ("", ""),
        };
        payload::encode(&json!({
            "saga_id": saga_id,
            "tenant": tenant,
            "phase": self.phase,
            "completed": self.completed(),
            "compensated": self.compensated,
            "signals": self.signal_ids(),
        }))
    }

    #[update_validator(annotate)]
    fn check_note(
        &self,
        _ctx: &WorkflowContextView,
        note: &RawValue,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        read_note(note).map(drop).map_err(Into::into)
    }

    #[update(name = "annotate")]
    fn annotate(&mut self, _ctx: &mut SyncWorkflowContext<Self>, note: RawValue) -> RawValue {
        let id = read_note(&note).unwrap_or_default();
        payload::encode(&json!({"id": id, "accepted": true}))
    }
}

impl ReferenceSaga {
    fn completed(&self) -> Vec<usize> {
        self.results.iter().map(|done| done.step).collect()
    }

    fn signal_ids(&self) -> Vec<&str> {
        self.signals
            .iter()
            .map(|signal| signal.id.as_str())
            .collect()
    }

    fn progress(&self, next: usize) -> Progress {
        Progress {
            next,
            results: self.results.clone(),
            signals: self.signals.clone(),
        }
    }

    fn result(&self, program: &Program) -> RawValue {
        #[derive(Serialize)]
        struct Completed<'a> {
            saga_id: &'a str,
            tenant: &'a str,
            outcome: &'static str,
            steps: &'a [StepResult],
            signals: Vec<&'a str>,
        }
        payload::encode(&Completed {
            saga_id: &program.saga_id,
            tenant: &program.tenant,
            outcome: "completed",
            steps: &self.results,
            signals: self.signal_ids(),
        })
    }

    fn failure(
        &self,
        program: &Program,
        at: usize,
        cause: &'static str,
        whole: bool,
    ) -> ApplicationFailure {
        let detail = payload::encode(&json!({
            "saga_id": program.saga_id,
            "tenant": program.tenant,
            "outcome": if whole { "compensated" } else { "compensation_incomplete" },
            "cause": cause,
            "step": at,
            "completed": self.completed(),
            "compensated": self.compensated,
        }));
        ApplicationFailure::builder(format!("node {at}: {cause}"))
            .type_name(failure::SAGA_FAILED.to_owned())
            .non_retryable(true)
            .details(detail)
            .build()
    }
}

type Saga = WorkflowContext<ReferenceSaga>;

/// Execute the nodes from where the run begins to the last.
async fn forward(ctx: &Saga, program: &Program) -> Result<(), Stop> {
    for (number, node) in program.nodes.iter().enumerate().skip(program.progress.next) {
        check_cancelled(ctx)?;
        match node {
            Node::Step(step) => run_step(ctx, program, number, step).await?,
            Node::Wait { signal } => wait_for(ctx, signal).await?,
            Node::Timer(duration) => {
                let longer = u64::from(seeded::has(Defect::LongerTimer));
                let duration = *duration + Duration::from_millis(longer);
                if let TimerResult::Cancelled = ctx.timer(duration).await {
                    return Err(Stop::Cancelled { unknown: None });
                }
            }
            Node::Child { program } => run_child(ctx, number, program).await?,
            Node::ContinueAsNew => return Err(Stop::ContinueAsNew { next: number + 1 }),
        }
    }
    check_cancelled(ctx)
}

/// A request that arrived while a node ran to its end is obeyed before the next one.
fn check_cancelled(ctx: &Saga) -> Result<(), Stop> {
    if ctx.cancellation_token().is_cancelled() {
        Err(Stop::Cancelled { unknown: None })
    } else {
        Ok(())
    }
}

async fn run_step(ctx: &Saga, program: &Program, at: usize, step: &Step) -> Result<(), Stop> {
    let mut call = call_of(program, at, step, Direction::Forward);
    if seeded::has(Defect::ChangedInput) {
        call.amount += "0";
    }
    if seeded::has(Defect::TimerBefore) {
        ctx.timer(Duration::from_millis(1)).await;
    }
    let token = ctx.cancellation_token();
    let options = options(
        &step.retry,
        step.start_to_close,
        step.heartbeat,
        token.clone(),
    );
    let outcome = execute(ctx, &call, options).await;
    let (cause, unknown) = match outcome {
        Ok(mut result) => {
            if seeded::has(Defect::ChangedResult) {
                result = Json::from_string(r#"{"changed": true}"#.to_owned()).unwrap();
            }
            ctx.state_mut(|saga| saga.results.push(StepResult { step: at, result }));
            return Ok(());
        }
        Err(error) => cause_of(&error),
    };
    let unknown = unknown.then_some(at);
    match cause {
        Some(cause) if !token.is_cancelled() => Err(Stop::Failed { at, cause, unknown }),
        _ => Err(Stop::Cancelled { unknown }),
    }
}

async fn wait_for(ctx: &Saga, name: &str) -> Result<(), Stop> {
    let delivered = |saga: &ReferenceSaga| saga.signals.iter().any(|signal| signal.name == name);
    ctx.state_mut(|saga| saga.phase = Phase::Waiting);
    let waited = ctx.wait_condition(delivered).await;
    ctx.state_mut(|saga| saga.phase = Phase::Running);
    waited.map_err(|_| Stop::Cancelled { unknown: None })
}

async fn run_child(ctx: &Saga, at: usize, program: &Json) -> Result<(), Stop> {
    let id = format!("{}/{at}", ctx.workflow_id());
    let options = ChildWorkflowOptions::workflow_id(id);
    let child = UntypedWorkflow::new(NAME);
    let started = ctx
        .start_child_workflow(child, payload::encode(&program), options)
        .await;
    let ended = match started {
        Ok(child) => child.result().await.is_ok(),
        Err(_) => false,
    };
    if ended {
        return Ok(());
    }
    check_cancelled(ctx)?;
    Err(Stop::Failed {
        at,
        cause: failure::CHILD_FAILED,
        unknown: None,
    })
}

/// Undo what was done, the last first, whatever becomes of each; true if all of it was undone.
async fn compensate(ctx: &Saga, program: &Program, unknown: Option<usize>) -> bool {
    ctx.state_mut(|saga| saga.phase = Phase::Compensating);
    let mut order = ctx.state(ReferenceSaga::completed);
    if !seeded::has(Defect::ForwardCompensation) {
        order.reverse();
    }
    let mut whole = true;
    for at in unknown.into_iter().chain(order) {
        let Node::Step(step) = &program.nodes[at] else {
            continue;
        };
        let call = call_of(program, at, step, Direction::Compensation);
        let retry = Retry {
            max_attempts: COMPENSATION_ATTEMPTS,
            ..Retry::usual()
        };
        let detached = WorkflowCancellationToken::new();
        let options = options(&retry, Step::usual_time(), None, detached);
        match execute(ctx, &call, options).await {
            Ok(_) => ctx.state_mut(|saga| saga.compensated.push(at)),
            Err(_) => whole = false,
        }
    }
    whole
}

fn call_of(program: &Program, at: usize, step: &Step, direction: Direction) -> Call {
    let operation = match direction {
        Direction::Forward => step.operation,
        Direction::Compensation => step.compensation,
    };
    Call {
        tenant: program.tenant.clone(),
        saga_id: program.saga_id.clone(),
        step: at,
        direction,
        service: step.service.to_owned(),
        operation: operation.to_owned(),
        resource: step.resource.clone(),
        amount: step.amount.clone(),
    }
}

fn options(
    retry: &Retry,
    start_to_close: Duration,
    heartbeat: Option<Duration>,
    token: WorkflowCancellationToken,
) -> ActivityOptions {
    let policy = RetryPolicy::builder()
        .initial_interval(retry.initial)
        .backoff_coefficient(retry.coefficient)
        .maximum_interval(retry.max_interval)
        .maximum_attempts(retry.max_attempts)
        .non_retryable_error_types(failure::NOT_RETRIED)
        .build();
    let limits = ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: SCHEDULE_TO_CLOSE,
        start_to_close,
    };
    ActivityOptions::with_close_timeouts(limits)
        .maybe_heartbeat_timeout(heartbeat)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(token)
        .retry_policy(policy)
        .build()
}

/// Run the activity of `call` to its end and take the service's result out of its answer.
async fn execute(
    ctx: &Saga,
    call: &Call,
    options: ActivityOptions,
) -> Result<Box<Json>, ActivityExecutionError> {
    let activity = UntypedActivity::new(call.activity_type());
    let answer = ctx
        .execute_activity(activity, payload::encode(call), options)
        .await?;
    let result = payload::decode(&answer)
        .and_then(|text| Members::of(&text)?.need("result").map(ToOwned::to_owned));
    Ok(result.expect("our own activity answers with a result"))
}

/// The failure type of a step that failed (none: it was cancelled), and whether its outcome at the
/// service is unknown.
fn cause_of(error: &ActivityExecutionError) -> (Option<&'static str>, bool) {
    if error.as_cancelled().is_some() {
        return (None, true);
    }
    if error.as_timeout().is_some() {
        return (Some(failure::TIMEOUT), true);
    }
    let (kind, again) = match error.reason() {
        Some(IncomingError::Application(application)) => (
            application.type_name().unwrap_or(""),
            failure::attempt_of(application) > 1, // what an earlier one did nobody told
        ),
        _ => ("", false),
    };
    match kind {
        failure::AUTHORIZATION_DENIED => (Some(failure::AUTHORIZATION_DENIED), again),
        failure::AUTHORIZATION_UNAVAILABLE => (Some(failure::AUTHORIZATION_UNAVAILABLE), again),
        failure::BUSINESS_FAILURE => (Some(failure::BUSINESS_FAILURE), false),
        failure::SERVICE_REJECTED => (Some(failure::SERVICE_REJECTED), false),
        // whatever else ended it (a worker that was stopped, a panic): nobody knows what was done
        _ => (Some(failure::SERVICE_UNAVAILABLE), true),
    }
}

fn read_signal(argument: &RawValue) -> Result<Signal, Misfit> {
    let members = Members::of(&payload::decode(argument)?)?;
    Ok(Signal {
        name: members.text("name")?,
        id: members.text("id")?,
    })
}

/// The id of a note that may be made.
fn read_note(argument: &RawValue) -> Result<String, Misfit> {
    let members = Members::of(&payload::decode(argument)?)?;
    members.text("text")?;
    members.text("id")
}
