"""What one trial records: the kinds of journal record, each a frozen value.

Every record carries two times in nanoseconds: `at_ns`, CLOCK_MONOTONIC, which all processes of one
machine share, and `wall_ns`, the wall clock. A record of an interval is written at its end and
carries its beginning as well. Empty strings stand for "does not apply"; defaults are not written.
"""

from __future__ import annotations

import enum
import time
from typing import Any, TypedDict

import msgspec

JOURNAL_VERSION = 1
# what decoding may raise: of text that is not UTF-8 msgspec does not say so itself
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError)


class Subject(enum.StrEnum):
    """Whose part a verdict speaks of."""

    ENGINE = "engine"
    DEPLOYMENT = "deployment"
    WORKER = "worker"
    EXPORTER = "exporter"
    PDP = "pdp"
    SERVICES = "services"
    GATEWAY = "gateway"
    GENERATOR = "generator"


class Ending(enum.StrEnum):
    """How an operation ended; `info` may or may not have taken effect."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Disposition(enum.StrEnum):
    """What a service did with a request."""

    APPLIED = "applied"
    SUPPRESSED = "suppressed"  # its key was known: the first answer was given again
    VOID = "void"  # a compensation of something that was never applied
    REFUSED = "refused"  # a business failure, or a request that the service cannot accept
    FAILED = "failed"  # an error before anything was applied


class Answer(enum.StrEnum):
    """What a strict reader may conclude from the bytes the PDP sent."""

    ALLOW = "allow"
    DENY = "deny"
    NONE = "none"  # neither: the enforcement point must fail closed


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Base of all kinds."""

    at_ns: int
    wall_ns: int


class Header(Record, frozen=True, kw_only=True, tag="header"):
    """First line of a segment."""

    version: int
    writer: str
    trial_id: str
    pid: int


class Footer(Record, frozen=True, kw_only=True, tag="footer"):
    """Last line of a segment: how many records it has and the SHA-256 of all bytes before."""

    records: int
    sha256: str


SAME_CODE = "same"  # in the details of a worker's part: it is the old build's command once more


class Part(Record, frozen=True, kw_only=True, tag="part"):
    """A part of the platform under test, as it declared itself or as it was observed.

    `ours` is true for the harness's reference parts and doubles. `lacks` are the capabilities
    of the contract that the part declares it does not have. `details` of a worker that was told a
    version are its deployment and build_id.
    """

    subject: Subject
    ours: bool
    name: str
    version: str = ""
    details: dict[str, str] = {}
    lacks: list[str] = []


class Process(Record, frozen=True, kw_only=True, tag="process"):
    """Something that happened to a process the harness started.

    `event` is one of started, ready, killed, exited, paused, resumed.
    """

    role: str
    group: str = ""
    pid: int
    event: str
    detail: str = ""


class Program(Record, frozen=True, kw_only=True, tag="program"):
    """A saga program as it was given to a workflow: what should happen.

    `script` and `rpc` are what is done to it, in the words of a program file; `file` is that file,
    below the trial's folder, where there is one.
    """

    suite: str
    case: str
    tenant: str
    group: str
    workflow_id: str
    saga_id: str
    task_queue: str
    feeds: list[str]
    program: dict[str, Any]
    script: list[dict[str, Any]] = []
    rpc: list[dict[str, Any]] = []
    file: str = ""


class Canary(Record, frozen=True, kw_only=True, tag="canary"):
    """A word that one tenant's inputs carry at a position, and that no other tenant may see."""

    tenant: str
    position: str
    word: str


class Log(Record, frozen=True, kw_only=True, tag="log"):
    """What a process wrote to its output; `path` is below the trial's folder."""

    role: str
    group: str
    path: str
    size_bytes: int
    sha256: str


class Operation(Record, frozen=True, kw_only=True, tag="operation"):
    """One call of the harness on the platform, from `invoked_ns` to `at_ns`.

    `name` is the operation (start, signal, query, cancel, ...); `status` the gRPC status name or
    the exception's class; `result` what came back, as JSON.
    """

    name: str
    suite: str = ""
    case: str = ""
    tenant: str = ""
    workflow_id: str = ""
    run_id: str = ""
    ending: Ending
    status: str = ""
    message: str = ""
    invoked_ns: int
    args: dict[str, Any] = {}
    result: Any = None


class Decision(Record, frozen=True, kw_only=True, tag="decision"):
    """One request to the PDP double and what was sent back.

    `seq` orders decisions, effects and audit events among each other. `mode` is `policy` or a
    failure mode `FM-nn`. `wire` is the beginning of the answer's bytes, base64. `answered_ns` is
    when its last byte was written (0: never), `at_ns` when the connection or exchange ended.
    `problems` says where the request departs from AuthZEN or from the contract, `others` are its
    first header lines that the contract does not name.
    """

    seq: int
    received_ns: int
    tenant: str
    saga_id: str
    step: int
    direction: str
    workflow_id: str
    run_id: str
    attempt: int
    idempotency_key: str
    request_id: str = ""
    action: str
    resource: str
    mode: str
    answer: Answer
    answered_ns: int = 0
    ended_by: str = ""  # "us" or "peer": who closed first
    request: str = ""
    wire: str = ""
    problems: list[str] = []
    others: list[tuple[str, str]] = []


class Effect(Record, frozen=True, kw_only=True, tag="effect"):
    """One request to a service double and what became of it: a row of the effect ledger.

    `received_ns` is the arrival, `applied_ns` the moment of application (0: not applied),
    `at_ns` the end of the exchange. `fault` names the behaviour that the program asked for.
    `result_sha256` is of the canonical JSON of the result that was (or would have been) sent.
    `others` are the first header lines that the contract does not name.
    """

    seq: int
    received_ns: int
    applied_ns: int = 0
    service: str
    operation: str
    direction: str
    tenant: str
    saga_id: str
    step: int
    workflow_id: str
    run_id: str
    attempt: int
    idempotency_key: str
    resource: str = ""
    amount: str = ""
    traceparent: str = ""
    disposition: Disposition
    status: int
    fault: str = ""
    result_sha256: str = ""
    problems: list[str] = []
    others: list[tuple[str, str]] = []


class Balance(Record, frozen=True, kw_only=True, tag="balance"):
    """What a service double has of one resource when it stops, as decimal numbers.

    `free` and `held` are the two sides of one account, whose sum is its `opening`: sagas hold what
    forward effects took and compensations did not give back.
    """

    tenant: str
    service: str
    resource: str
    opening: str
    free: str
    held: str


class AuditEvent(Record, frozen=True, kw_only=True, tag="audit"):
    """One request to the audit sink: header lines as received and the raw body, base64."""

    seq: int
    headers: list[tuple[str, str]]
    body: str
    status: int = 204


class History(Record, frozen=True, kw_only=True, tag="history"):
    """An exported event history; `path` is below the trial's folder, `status` its run's status."""

    tenant: str
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    status: str
    path: str
    events: int
    sha256: str


class Fault(Record, frozen=True, kw_only=True, tag="fault"):
    """A phase of a fault: planned, injected, bit, healed. `evidence` says how it is known."""

    fault_id: str
    name: str
    target: str
    phase: str
    evidence: dict[str, Any] = {}


class Tapped(Record, frozen=True, kw_only=True, tag="tapped"):
    """One call between a worker (or starter) and the engine that a rule of the tap fits.

    `keys` are the rule's; `number` counts the calls that it fits, `again` says that the same bytes
    were bitten before. `action` is what was done to the call (empty: it was passed on), `sent` how
    often it was forwarded, `engine_status` what the engine answered (empty: nothing), `status` what
    the caller got (CANCELLED: it went away).
    """

    rule: str
    link: str
    method: str
    keys: list[str] = []
    number: int
    again: bool = False
    action: str = ""
    status: str
    engine_status: str = ""
    sent: int = 0
    request_bytes: int
    answer_bytes: int = 0
    received_ns: int


class Difference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recorded attribute that a replay produced differently."""

    event_id: int
    attribute: str
    recorded: str
    replayed: str
    severity: str  # error or info


class Replay(Record, frozen=True, kw_only=True, tag="replay"):
    """A replay of one history; `ending` is fail when it differed.

    `mode` is stock, strict or query; perturbed, in these `surroundings`; open or kept, of a
    `Precedent`; or seed, of a defect sown on purpose; or wire-warm, wire-cold or wire-whole, served
    by a replay frontend. `commands` are what the code issued, each as its kind and a digest; over
    the wire `compared` counts those that were compared, `tasks` the workflow tasks answered.
    """

    mode: str
    tenant: str
    workflow_id: str
    run_id: str
    ending: Ending
    message: str = ""
    differences: list[Difference] = []
    surroundings: str = ""
    commands: list[str] = []
    tasks: int = 0
    compared: int = 0


class Surroundings(Record, frozen=True, kw_only=True, tag="surroundings"):
    """What a process that replays found around it; an empty name is the usual."""

    name: str
    seen: dict[str, str]


class Precedent(Record, frozen=True, kw_only=True, tag="precedent"):
    """A history that new code must replay: of a run that was open, or kept from earlier builds.

    `origin` is open or kept, `build` what the kept one's folder is called; `path` is below the
    trial's folder.
    """

    origin: str
    build: str = ""
    tenant: str = ""
    namespace: str = ""
    workflow_id: str
    run_id: str
    workflow_type: str
    closed: bool
    path: str
    sha256: str


class Seed(Record, frozen=True, kw_only=True, tag="seed"):
    """A defect (or something sound) sown for a detector, and whether the detector named it."""

    detector: str
    name: str
    sound: bool = False
    alarmed: bool
    said: str = ""


class SourceFinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule forbids and workflow code reaches; `certain` is false where it only may.

    Then `through` is the method of an unknown object by whose name it was reached. `reviewed` is
    the reason that a comment in the code gives for it.
    """

    rule: str
    file: str
    line: int
    where: str
    uses: str
    certain: bool
    through: str = ""
    reviewed: str = ""


class PatchCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where workflow code asks for a patch: `call` is patched or deprecate_patch.

    An empty `id` is one that is computed. `workflow` is the class that reaches it.
    """

    id: str
    call: str
    file: str
    line: int
    workflow: str


class SourceScan(Record, frozen=True, kw_only=True, tag="source"):
    """What was read of the workflow code of a module, without running it.

    `classes` are its workflows, `functions` counts the pieces of code they reach, `files` are what
    was read with its SHA-256. `outside` are packages that were not read, `unfollowed` code that
    cannot be followed. `setup` is the module in which the worker is set up (empty: not known, or
    no worker is made there), `patches` are the places where a patch is asked for. `types` are the
    workflow types of the classes (empty: computed).
    """

    workflows: str
    classes: list[str]
    functions: int
    files: dict[str, str]
    findings: list[SourceFinding] = []
    outside: list[str] = []
    unfollowed: list[str] = []
    setup: str = ""
    patches: list[PatchCall] = []
    types: list[str] = []


class Gauge(Record, frozen=True, kw_only=True, tag="gauge"):
    """A measured value at a time: backlog, open workflows, probe success, latency."""

    name: str
    value: float
    tenant: str = ""
    detail: str = ""


class LoadRun(Record, frozen=True, kw_only=True, tag="load"):
    """What the load generator planned and how well it kept to its plan.

    `samples` is a file below the trial's folder with `rows` rows of raw samples. `rate_per_s` is
    what the shape is called by: the mean of some, the base of others.
    Of the generator itself: latenesses are sent minus intended, stalls how much later than asked
    its event loop woke up, a hundred times a second, and `cpu_share` is of one core.
    A run in several processes has a record of each: `part` of `parts` took each `parts`-th arrival
    of the `planned` ones from `part` on; without a plan `parts` is 0. `session` counts the runs of
    one trial.
    """

    workload: str
    mode: str
    shape: str = "constant"
    rate_per_s: float
    duration_s: float
    warmup_s: float
    seed: int
    planned: int
    sent: int
    not_sent: int
    lateness_p99_ns: int
    lateness_max_ns: int
    cpu_share: float
    samples: str
    rows: int
    sha256: str
    stall_p99_ns: int = 0
    stall_max_ns: int = 0
    gc_pause_max_ns: int = 0
    gc_pause_total_ns: int = 0
    session: int = 1
    part: int = 0
    parts: int = 1


class Flood(Record, frozen=True, kw_only=True, tag="flood"):
    """What one tenant flooded the platform with, while another one was measured.

    `samples` is a file below the trial's folder with a row for each of the `planned` calls, which
    a process of its own sent at `rate_per_s` in the noisy blocks. `payload_bytes` is how large the
    large payloads were.
    """

    tenant: str
    rate_per_s: float
    payload_bytes: int
    planned: int
    samples: str
    rows: int
    sha256: str


class Block(Record, frozen=True, kw_only=True, tag="block"):
    """A stretch of a load, from `begin_ns` to `end_ns` of the monotonic clock.

    In a `noisy` one another tenant floods, by the kind of call that `flood` names; the quiet one of
    the same `pair` is beside it, and as long.
    """

    pair: int
    noisy: bool
    flood: str
    begin_ns: int
    end_ns: int


IDLE = "idle"  # a stretch in which all parts run, and nothing is asked of them
BYPASSING = "traffic.bypassing"  # gauge: processes of ours that call the engine past the proxy
WORKER_CPU_S = "worker.cpu_s"  # gauge: CPU time of all workers' processes since they began
WORKER_RSS_BYTES = "worker.rss_bytes"  # gauge: memory of all workers' processes
UNDER_LOAD = "load"  # the one from before the first arrival until all of them have ended


class Traffic(Record, frozen=True, kw_only=True, tag="traffic"):
    """What passed a link of the counting proxy since it began: bytes of TCP payload, connections.

    `link` is whose it is: the generator's, the workers', the exporter's. `stretch` is what was done
    meanwhile (empty: nothing that counts); the first and the last record of a stretch are its
    beginning and its end. `refused` counts the connections that the engine did not take.
    """

    link: Subject
    stretch: str = ""
    to_engine_bytes: int
    from_engine_bytes: int
    connections: int
    refused: int = 0
    open: int = 0


class Stored(Record, frozen=True, kw_only=True, tag="stored"):
    """What the engine keeps of one run of a workflow that a load started.

    `root` is the id of the workflow that was started: what carries it on, and its children, belong
    to it. `history_bytes` is the engine's own count of what it stores, `told_events` its count of
    events; `events` were read, and took `read_bytes` encoded; of them `activities` were scheduled.
    """

    tenant: str
    root: str
    workflow_id: str
    run_id: str
    workflow_type: str
    status: str
    history_bytes: int
    told_events: int
    events: int
    read_bytes: int
    activities: int


DRAWN = "weigh.drawn"  # gauge: workflows of a load whose histories are to be read


class Executed(Record, frozen=True, kw_only=True, tag="executed"):
    """An activity of a run that a load started, by the times of its history's events.

    All times but the record's own are of the engine's wall clock, in ns; 0: there is no such event.
    `root` is the id of the workflow that was started, by the load's `operation`; `run_started_ns`
    is of the activity's own run. `ended` is completed, failed, timed_out, canceled, or empty for an
    activity that has not ended; `started_ns` and `attempt` are of the last attempt.

    A `local` activity leaves a marker only, written when its workflow task ends: then `type` is the
    marker's name, `scheduled_ns` the start of that workflow task and `closed_ns` the marker's time.
    """

    tenant: str
    root: str
    operation: str
    workflow_id: str
    run_id: str
    run_started_ns: int
    type: str
    local: bool = False
    attempt: int = 0
    scheduled_ns: int
    started_ns: int = 0
    closed_ns: int = 0
    ended: str = ""


CPU_S = "cpu_s"  # gauge: CPU time of a role's processes since they began, the role in `detail`
MACHINE = "machine"  # as a role: all cores of the machine, whoever used them
MACHINE_IDLE = "machine idle"  # and what nobody used of them


class Step(Record, frozen=True, kw_only=True, tag="step"):
    """One step of a search for the knee: the load run `session`, with so many worker processes.

    `outcome` and `reason` are what the search made of it then; a check judges the samples again.
    `left_open` of its workflows had not ended when the next step began; `clean` says that the one
    before had left none.
    """

    session: int
    rate_per_s: float
    workers: int = 1
    purpose: str
    outcome: str
    reason: str
    left_open: int = 0
    clean: bool = True


class Search(Record, frozen=True, kw_only=True, tag="search"):
    """A search for the knee that came to its end, with so many worker processes, and why it did."""

    workers: int = 1
    start_per_s: float
    most_per_s: float
    resolution: float
    budget_s: float
    spent_s: float
    ended: str


class Timing(Record, frozen=True, kw_only=True, tag="timing"):
    """Where the time of the trial went."""

    what: str
    seconds: float


AnyRecord = (
    Part
    | Process
    | Program
    | Canary
    | Log
    | Operation
    | Decision
    | Effect
    | Balance
    | AuditEvent
    | History
    | Fault
    | Tapped
    | Replay
    | Surroundings
    | Precedent
    | Seed
    | SourceScan
    | Gauge
    | LoadRun
    | Flood
    | Block
    | Traffic
    | Stored
    | Executed
    | Step
    | Search
    | Timing
)
KINDS: tuple[type[Record], ...] = (
    Part,
    Process,
    Program,
    Canary,
    Log,
    Operation,
    Decision,
    Effect,
    Balance,
    AuditEvent,
    History,
    Fault,
    Tapped,
    Replay,
    Surroundings,
    Precedent,
    Seed,
    SourceScan,
    Gauge,
    LoadRun,
    Flood,
    Block,
    Traffic,
    Stored,
    Executed,
    Step,
    Search,
    Timing,
)


class Times(TypedDict):
    """The two times of a record."""

    at_ns: int
    wall_ns: int


def now() -> Times:
    """The two times of a record written at this moment."""
    return {"at_ns": time.monotonic_ns(), "wall_ns": time.time_ns()}
