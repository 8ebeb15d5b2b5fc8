//! The saga program (contract §4, `schemas/program.json`) and what a continued run takes with it.

use crate::members::{Members, Misfit};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue as Json, to_raw_value};
use std::collections::BTreeMap;
use std::time::Duration;

const LONGEST_MS: u64 = 3_162_240_000_000;
const MOST_NODES: usize = 10_000;

/// service, forward operation, its compensation
const OPERATIONS: [(&str, &str, &str); 4] = [
    ("rms", "reserve", "release"),
    ("ams", "grant", "revoke"),
    ("cpms", "provision", "deprovision"),
    ("bss", "charge", "refund"),
];

pub struct Program {
    pub tenant: String,
    pub saga_id: String,
    pub nodes: Vec<Node>,
    pub progress: Progress,
    text: Box<Json>,
}

pub enum Node {
    Step(Step),
    Wait { signal: String },
    Timer(Duration),
    Child { program: Box<Json> },
    ContinueAsNew,
}

#[derive(Clone)]
pub struct Step {
    pub service: &'static str,
    pub operation: &'static str,
    pub compensation: &'static str,
    pub resource: String,
    pub amount: String,
    pub retry: Retry,
    pub start_to_close: Duration,
    pub heartbeat: Option<Duration>,
}

#[derive(Clone)]
pub struct Retry {
    pub initial: Duration,
    pub coefficient: f64,
    pub max_interval: Duration,
    pub max_attempts: u32,
}

/// What has been reached: all that a run needs to go on where another one stopped.
#[derive(Default, Serialize, Deserialize)]
pub struct Progress {
    /// the node to begin with
    pub next: usize,
    pub results: Vec<StepResult>,
    pub signals: Vec<Signal>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct StepResult {
    pub step: usize,
    pub result: Box<Json>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Signal {
    pub name: String,
    pub id: String,
}

impl Program {
    /// The program in a workflow's argument, or where it does not fit. Its children are checked
    /// with it, so that a run never fails half way for its argument.
    pub fn read(text: &Json) -> Result<Self, Misfit> {
        let program = Self::read_alone(text)?;
        let mut children: Vec<Box<Json>> = children_of(&program).collect();
        while let Some(child) = children.pop() {
            children.extend(children_of(&Self::read_alone(&child)?));
        }
        Ok(program)
    }

    fn read_alone(text: &Json) -> Result<Self, Misfit> {
        let members = Members::of(text)?;
        if !is_contract_1(&members.text("contract")?) {
            return Err("contract is not 1.x".to_owned());
        }
        let nodes = members.list("nodes")?;
        if nodes.len() > MOST_NODES {
            return Err(format!("more than {MOST_NODES} nodes"));
        }
        let node = |(number, node): (usize, &Box<Json>)| {
            Node::read(node).map_err(|misfit| format!("node {number}: {misfit}"))
        };
        Ok(Self {
            tenant: members.identity("tenant")?,
            saga_id: members.identity("saga_id")?,
            nodes: nodes
                .iter()
                .enumerate()
                .map(node)
                .collect::<Result<_, _>>()?,
            progress: members.or("progress", Progress::default(), |members, name| {
                serde_json::from_str(members.need(name)?.get())
                    .map_err(|_| format!("{name} is not this worker's"))
            })?,
            text: text.to_owned(),
        })
    }

    /// The same program as the argument of the run that continues this one.
    pub fn continued(&self, progress: &Progress) -> BTreeMap<String, Box<Json>> {
        let mut whole: BTreeMap<String, Box<Json>> =
            serde_json::from_str(self.text.get()).expect("it was read as an object");
        let progress = to_raw_value(progress).expect("progress is JSON");
        whole.insert("progress".to_owned(), progress);
        whole
    }
}

fn children_of(program: &Program) -> impl Iterator<Item = Box<Json>> + use<> {
    let of = |node: &Node| match node {
        Node::Child { program } => Some(program.clone()),
        _ => None,
    };
    program
        .nodes
        .iter()
        .filter_map(of)
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_contract_1(version: &str) -> bool {
    let minor = version.strip_prefix("1.").unwrap_or("");
    !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())
}

impl Node {
    fn read(text: &Json) -> Result<Self, Misfit> {
        let members = Members::of(text)?;
        match members.text("kind")?.as_str() {
            "step" => Step::read(&members).map(Self::Step),
            "wait" => Ok(Self::Wait {
                signal: members.text("signal")?,
            }),
            "timer" => duration(&members, "duration_ms").map(Self::Timer),
            "child" => Ok(Self::Child {
                program: members.need("program")?.to_owned(),
            }),
            "continue_as_new" => Ok(Self::ContinueAsNew),
            other => Err(format!("unknown kind {other:?}")),
        }
    }
}

impl Step {
    fn read(members: &Members) -> Result<Self, Misfit> {
        let service = members.text("service")?;
        let named = (
            service.as_str(),
            members.text("operation")?,
            members.text("compensation")?,
        );
        let (service, operation, compensation) = OPERATIONS
            .into_iter()
            .find(|&(service, operation, compensation)| {
                named == (service, operation.to_owned(), compensation.to_owned())
            })
            .ok_or("service, operation and compensation are no row of the table")?;
        Ok(Self {
            service,
            operation,
            compensation,
            resource: members.text("resource")?,
            amount: members.or("amount", "1".to_owned(), Members::text)?,
            retry: members.or("retry", Retry::usual(), |members, name| {
                Retry::read(&Members::of(members.need(name)?)?)
            })?,
            start_to_close: members.or("start_to_close_ms", Self::usual_time(), duration)?,
            heartbeat: members.or("heartbeat_ms", None, |members, name| {
                let ms = members.whole(name, 0, LONGEST_MS)?;
                Ok((ms > 0).then(|| Duration::from_millis(ms)))
            })?,
        })
    }

    pub fn usual_time() -> Duration {
        Duration::from_millis(10_000)
    }
}

impl Retry {
    pub fn usual() -> Self {
        Self {
            initial: Duration::from_millis(200),
            coefficient: 2.0,
            max_interval: Duration::from_millis(2000),
            max_attempts: 5,
        }
    }

    fn read(members: &Members) -> Result<Self, Misfit> {
        let usual = Self::usual();
        let coefficient = members.or("coefficient", usual.coefficient, Members::number)?;
        if coefficient < 1.0 {
            return Err("coefficient is below 1".to_owned());
        }
        let attempts = |members: &Members, name: &str| members.whole(name, 1, 1_000_000);
        let max_interval = members.or("max_interval_ms", usual.max_interval, duration)?;
        Ok(Self {
            initial: members
                .or("initial_ms", usual.initial, duration)?
                .min(max_interval),
            coefficient,
            max_interval,
            max_attempts: members.or("max_attempts", usual.max_attempts.into(), attempts)? as u32,
        })
    }
}

fn duration(members: &Members, name: &str) -> Result<Duration, Misfit> {
    members
        .whole(name, 1, LONGEST_MS)
        .map(Duration::from_millis)
}
