"""The flood: a process of its own in which one tenant asks as much as it is let, in blocks.

It connects, prints `HARNESS-READY {}`, reads from its input one line, the moment of the monotonic
clock (ns) at which the first block begins, and ends with the last block. Like the generator it is
an open loop: what the platform does not answer slows nothing down. Each call is sent once, without
the SDK's retries, and recorded raw; a refusal with the cause and the scope that the engine gives
for it, as `RESOURCE_EXHAUSTED:RPS_LIMIT:NAMESPACE`.

It writes `samples/flood.bin` and `journal/flood.jsonl`: a `Block` when it is over, and at last one
`Flood`. Its exit code is 0, 64, 69 (no engine, no disk) or 70.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final, NoReturn

import msgspec
import uvloop
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import (
    ResourceExhaustedCause,
    ResourceExhaustedScope,
    TaskQueueType,
)
from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from harness.contract.ready import READY
from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, HarnessError, UnavailableError
from harness.journal.manifest import JOURNAL, SAMPLES
from harness.journal.records import Block, Flood, now
from harness.journal.write import SegmentWriter
from harness.load.blocks import PLAN, FloodPlan
from harness.load.connect import connected
from harness.load.engine import Arrival, Engine, Sample, wait_until
from harness.load.requests import IDENTITY, METHODS, REQUESTS, Waiting, start_request
from harness.load.run import SAYS
from harness.load.samples import Encoder, Origin, SampleOutcome
from harness.load.settings import Settings, Tenant, from_environment
from harness.load.waiting import end_waiting
from harness.load.workload import Argument, Kind

WRITER: Final = "flood"
REFUSED: Final = "RESOURCE_EXHAUSTED"
CALL_WITHIN: Final = timedelta(seconds=10)
_EVERY_S: Final = 0.1
_KINDS: Final = {
    "starts": Kind.START,
    "lists": Kind.LIST,
    "payloads": Kind.START,
    "signals": Kind.SIGNAL,
    "activities": Kind.START,
}
KINDS: Final = tuple(_KINDS)


class Arguments:
    """What is started: runs that end at once, that wait for ever, and that fill a queue."""

    def __init__(self, *, nothing: Argument, waits: Argument, steps: Argument) -> None:
        self.nothing = nothing
        self.waits = waits
        self.steps = steps


class Noise:
    """The calls of the noisy blocks, evenly spaced in each."""

    def __init__(self, plan: FloodPlan, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._calls = list(_calls(plan))
        self._clock = clock
        self._begin_ns = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._calls)

    def block_of(self, index: int) -> int:
        """The number of the block that a call belongs to."""
        return self._calls[index][1]

    async def arrivals(self, begin_ns: int, stopped: Callable[[], bool]) -> AsyncIterator[Arrival]:
        """Each call at its offset from `begin_ns`."""
        self._begin_ns = begin_ns
        while self._taken < len(self) and not stopped():
            arrival = self._at(self._taken)
            await wait_until(arrival[1], self._clock, stopped)
            if not stopped():
                self._taken += 1
                yield arrival

    def rest(self) -> Iterable[Arrival]:
        """The calls that did not come to be due."""
        return (self._at(index) for index in range(self._taken, len(self)))

    def _at(self, index: int) -> Arrival:
        offset_ns, _, operation = self._calls[index]
        return index, self._begin_ns + offset_ns, 0, operation


def _calls(plan: FloodPlan) -> Iterator[tuple[int, int, int]]:
    """(offset in ns, number of the block, operation) of each call."""
    for number, block in enumerate(plan.blocks):
        if block.noisy:
            for call in range(round(plan.rate_per_s * plan.block_s)):
                offset_s = number * plan.block_s + call / plan.rate_per_s
                yield round(offset_s * 1e9), number, KINDS.index(block.flood)


class FloodDriver:
    """One tenant's calls, each of them once."""

    def __init__(
        self, settings: Settings, plan: FloodPlan, noise: Noise, arguments: Arguments
    ) -> None:
        self._settings = settings
        self._tenant: Tenant = settings.tenants[0]
        self._plan = plan
        self._noise = noise
        self._arguments = arguments
        self._prefix = f"flood-{settings.trial_id}"
        self._client: Client | None = None
        self._hot: dict[int, Waiting] = {}

    async def open(self) -> None:
        """Connect, and start a run for each block of signals; a second call does nothing."""
        if self._client is not None:
            return
        try:
            self._client = await connected(self._settings)
            if self._plan.queue_per_s:
                await self._limit_queue(self._plan.queue_per_s)
            for block in self._plan.blocks:
                if block.noisy and block.flood == "signals":
                    self._hot[block.pair] = await self._start_hot(block.pair)
        except (RPCError, RuntimeError, TimeoutError, OSError) as error:
            raise UnavailableError(
                f"engine {self._settings.address}: the flooding tenant {self._tenant.tenant} "
                f"cannot begin: {error}"
            ) from None

    async def _limit_queue(self, per_s: float) -> None:
        limit = RateLimit(requests_per_second=per_s)
        await self._service.update_task_queue_config(
            UpdateTaskQueueConfigRequest(
                namespace=self._tenant.namespace,
                identity=IDENTITY,
                task_queue=self._tenant.task_queue,
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(
                    rate_limit=limit, reason="declared as queue_activities_per_s"
                ),
            ),
            timeout=CALL_WITHIN,
        )

    async def _start_hot(self, pair: int) -> Waiting:
        workflow_id = f"{self._prefix}-hot-{pair}"
        argument = self._arguments.waits(self._tenant.tenant, workflow_id)
        answer = await self._service.start_workflow_execution(
            start_request(self._tenant, workflow_id, argument), retry=True, timeout=CALL_WITHIN
        )
        execution = WorkflowExecution(workflow_id=workflow_id, run_id=answer.run_id)
        return Waiting(self._tenant.namespace, execution)

    async def close(self) -> None:
        """End what waits, and let go of the connection."""
        if self._client is not None and self._hot:
            await end_waiting(self._service, [list(self._hot.values())])
        self._client = None

    async def start(self, sample: Sample) -> bool:
        """Send one call; whatever comes back ends the sample."""
        flood = KINDS[sample.operation]
        sample.attempts = 1
        call = getattr(self._service, METHODS[_KINDS[flood]])
        try:
            await call(self._request(sample, flood), retry=False, timeout=CALL_WITHIN)
        except RPCError as error:
            cause = cause_of(error)
            info = error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNAVAILABLE)
            sample.end(SampleOutcome.INFO if info else SampleOutcome.FAIL, cause)
            sample.completed_ns = time.monotonic_ns()
            return False
        sample.answered_ns = sample.first_attempt_ns = sample.completed_ns = time.monotonic_ns()
        sample.end(SampleOutcome.OK)
        return False

    async def follow(self, sample: Sample) -> None:
        """Nothing is followed."""

    def _request(self, sample: Sample, flood: str) -> Message:
        workflow_id = f"{self._prefix}-{sample.index}"
        kind = _KINDS[flood]
        if kind is not Kind.START:
            pair = self._plan.blocks[self._noise.block_of(sample.index)].pair
            execution = self._hot[pair].execution if pair in self._hot else WorkflowExecution()
            return REQUESTS[kind](self._tenant.namespace, execution, workflow_id)
        argument = self._arguments.steps if flood == "activities" else self._arguments.nothing
        request = start_request(
            self._tenant, workflow_id, argument(self._tenant.tenant, workflow_id)
        )
        if flood == "payloads":
            giant = Payload(
                metadata={"encoding": b"binary/plain"}, data=bytes(self._plan.payload_bytes)
            )
            request.memo.fields["load"].CopyFrom(giant)
        return request

    @property
    def _service(self) -> WorkflowService:
        assert self._client is not None, "the driver is not open"
        return self._client.workflow_service


def cause_of(error: RPCError) -> str:
    """The status, and of a refusal its cause and its scope; `-` where the engine gives none."""
    if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
        return error.status.name
    for detail in error.grpc_status.details:
        told = ResourceExhaustedFailure()
        if detail.Unpack(told):
            cause = ResourceExhaustedCause.Name(told.cause)
            scope = ResourceExhaustedScope.Name(told.scope)
            names = cause.removeprefix(f"{REFUSED}_CAUSE_"), scope.removeprefix(f"{REFUSED}_SCOPE_")
            return ":".join((REFUSED, *names))
    return f"{REFUSED}:-:-"


class _Recorder:
    """Writes what was sent as it ends, and each block when it is over."""

    def __init__(self, settings: Settings, plan: FloodPlan, origin: Origin) -> None:
        assert settings.trial is not None
        self._settings = settings
        self._plan = plan
        self._origin = origin
        self._path = f"{SAMPLES}/{WRITER}.bin"
        self._segment = SegmentWriter(settings.trial / JOURNAL, WRITER, settings.trial_id)
        self._file = (settings.trial / self._path).open("xb")
        self._digest = hashlib.sha256()
        self._encoder = Encoder()
        self._blocks = 0
        self._append(self._encoder.begin(origin))

    def write(self, ended: Sequence[Sample]) -> None:
        self._append(self._encoder.block(ended))

    def blocks(self, until_ns: int) -> None:
        """Record the blocks that are over."""
        while self._blocks < len(self._plan.blocks):
            begin_ns, end_ns = (
                self._origin.begin_ns + round((self._blocks + place) * self._plan.block_s * 1e9)
                for place in (0, 1)
            )
            if end_ns > until_ns:
                return
            block = self._plan.blocks[self._blocks]
            self._segment.write(
                Block(
                    **now(),
                    pair=block.pair,
                    noisy=block.noisy,
                    flood=block.flood,
                    begin_ns=begin_ns,
                    end_ns=end_ns,
                )
            )
            self._segment.flush()
            self._blocks += 1

    def close(self, planned: int) -> None:
        self._append(self._encoder.end())
        self._file.close()
        self._segment.write(
            Flood(
                **now(),
                tenant=self._settings.tenants[0].tenant,
                rate_per_s=self._plan.rate_per_s,
                payload_bytes=self._plan.payload_bytes,
                planned=planned,
                samples=self._path,
                rows=self._encoder.rows,
                sha256=self._digest.hexdigest(),
            )
        )
        self._segment.close()

    def _append(self, raw: bytes) -> None:
        self._file.write(raw)
        self._file.flush()
        self._digest.update(raw)


def flood(arguments: Arguments) -> NoReturn:
    """The process, from its environment; ends it, at once, as the SDK may crash at its exit."""
    try:
        settings = from_environment(os.environ)
        plan = msgspec.json.decode(os.environ[PLAN], type=FloodPlan)
        uvloop.run(_flood(settings, plan, arguments))
        code = 0
    except HarnessError as error:
        code = _said(str(error), error.exit_code)
    except OSError as error:
        code = _said(f"{error.filename or ''}: {error.strerror}", EXIT_UNAVAILABLE)
    except BaseException as error:  # noqa: BLE001 - the outer border of this process
        code = _said(repr(error), EXIT_BUG)
    sys.stdout.flush()
    os._exit(code)


def _said(text: str, code: int) -> int:
    print(f"{SAYS}{text}", file=sys.stderr, flush=True)
    return code


async def _flood(settings: Settings, plan: FloodPlan, arguments: Arguments) -> None:
    noise = Noise(plan)
    driver = FloodDriver(settings, plan, noise, arguments)
    await driver.open()
    print(f"{READY}{{}}", flush=True)
    loop = asyncio.get_running_loop()
    told = await loop.run_in_executor(None, sys.stdin.readline)
    if not told:
        return
    begin_ns = int(told)
    ahead_ns = begin_ns - time.monotonic_ns()
    engine = Engine(
        driver=driver,
        pace=noise,
        in_flight=settings.in_flight,
        horizon_s=settings.horizon_s,
        begin_at_wall_ns=time.time_ns() + ahead_ns,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stop)
    running = asyncio.create_task(engine.run())
    while not engine.ready and not running.done():  # noqa: ASYNC110 - another task's moment
        await asyncio.sleep(0.005)
    recorder = _Recorder(settings, plan, _origin(settings, plan, engine))
    await _record(engine, recorder, running, begin_ns + round(plan.lasts_s * 1e9))
    for sample in engine.leftover():
        recorder.write([sample])
    recorder.close(len(noise))
    if engine.failure is not None:
        raise engine.failure


async def _record(
    engine: Engine, recorder: _Recorder, running: asyncio.Task[None], until_ns: int
) -> None:
    """Take what has happened until the run has ended and its last block is over."""
    while True:
        over = running.done() and (engine.stopped or time.monotonic_ns() >= until_ns)
        engine.stalls()
        while engine.answered():
            pass
        while ended := engine.ended():
            recorder.write(ended)
        recorder.blocks(time.monotonic_ns())
        if over:
            return
        await asyncio.sleep(_EVERY_S)


def _origin(settings: Settings, plan: FloodPlan, engine: Engine) -> Origin:
    return Origin(
        trial_id=settings.trial_id,
        workload=WRITER,
        workflow_id_prefix=f"flood-{settings.trial_id}",
        tenants=[settings.tenants[0].tenant],
        begin_ns=engine.begin_ns,
        begin_wall_ns=engine.begin_wall_ns,
        horizon_s=settings.horizon_s,
        operations=list(KINDS),
        kinds=[kind.name for kind in _KINDS.values()],
        settings={"rate_per_s": plan.rate_per_s, "block_s": plan.block_s},
    )
