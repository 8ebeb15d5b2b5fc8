"""The Locust side of the load generator: no module but this and `parts` imports Locust or gevent.

A Locust file calls `load_test(workload)` and keeps the user class that it gives. The open loop
runs in a native thread of the Locust process (Locust patches Python's own threads into greenlets),
on uvloop (whose timers and selector are C and stay as they are). A greenlet takes what has happened
every 100 ms, writes it to the trial, and tells Locust's statistics.

In planned mode the number of Locust users means nothing: the plan decides, and the run ends by
itself. In interactive mode each Locust user is a token worth some arrivals per second, so the web
interface, `--users`, `--spawn-rate` and shapes set the rate.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Final, NoReturn

import gevent
import gevent.event
import gevent.monkey
import msgspec
import uvloop
from locust import User, constant, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.contract.ready import READY
from harness.errors import EXIT_BUG, EXIT_UNAVAILABLE, EXIT_USAGE, HarnessError, UsageError
from harness.load.driver import TemporalDriver
from harness.load.engine import GRACE_S, WHOLE, Engine, Part, Planned, Sample, Tokens
from harness.load.parts import Failed, MyPart, Parts
from harness.load.plan import Plan, Turns
from harness.load.recorder import Recorder
from harness.load.run import SAYS
from harness.load.samples import Origin, SampleOutcome
from harness.load.settings import FIRST_TASK_SLI, Settings, from_environment
from harness.load.workload import STARTING, Kind, Workload

_EVERY_S: Final = 0.1
_SWITCH_S: Final = (
    0.001  # how long a thread keeps the interpreter: statistics must not hold arrivals
)
_HANG_S: Final = 5.0  # a loop that has not ended so long after it was told to hangs
_LOG: Final = logging.getLogger("harness.load")


def load_test(workload: Workload) -> type[User]:
    """Set up a Locust file's load test from the environment; the result is its user class.

    Ends the process with 64 and one line on standard error if the environment does not do.
    """
    try:
        settings = from_environment(os.environ)
        workload = workload.mixed(settings.mix)
        plan = settings.plan(workload.weights) if settings.planned else None
    except UsageError as error:
        _say(f"{error} (`harness up` prints the variables of a platform of its own)")
        _end(EXIT_USAGE)
    load = _Load(settings, plan, workload)
    hooks: Any = events  # Locust's hooks are not typed
    hooks.init.add_listener(load.on_init)
    hooks.test_start.add_listener(load.on_test_start)
    hooks.test_stop.add_listener(load.on_test_stop)
    hooks.quit.add_listener(load.on_quit)

    class Arrivals(User):
        """A token; it only counts."""

        wait_time = constant(3600)

        def on_start(self) -> None:
            load.add_token(1)

        def on_stop(self) -> None:
            load.add_token(-1)

        @task
        def idle(self) -> None:
            """What arrives is started by the open loop."""

    return Arrivals


class _Load:
    """The load test of this process: one `_Session` for each time Locust starts a test."""

    def __init__(self, settings: Settings, plan: Plan | None, workload: Workload) -> None:
        self._settings = settings
        self._plan = plan
        self._workload = workload
        self._sessions = settings.session - 1
        self._session: _Session | None = None
        self._hosts_sdk = True
        self._parts: Parts | None = None
        self._my_part: MyPart | None = None
        self._environment: Environment | None = None  # of the master of a plan
        self._exit_code: int | None = None

    def add_token(self, number: int) -> None:
        """A Locust user came or went."""
        if self._session is not None:
            self._session.add_token(number)

    def on_init(self, environment: Environment, **_: Any) -> None:
        """Locust is set up; no thread and no client before that, as it may fork."""
        sys.setswitchinterval(_SWITCH_S)
        runner = environment.runner
        self._hosts_sdk = not isinstance(runner, MasterRunner)
        if isinstance(runner, MasterRunner):
            web = environment.web_ui is not None
            if self._plan is not None:
                environment.process_exit_code = 0  # errors of the platform are figures, not ours
                self._environment = environment
            self._parts = Parts(runner, self._failed, web=web) if self._plan is not None else None
        elif isinstance(runner, WorkerRunner):
            self._my_part = MyPart(runner)

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """A test begins: connect and let arrivals come."""
        if self._parts is not None:
            self._ready(self._parts.give())
        if not self._hosts_sdk:
            return
        self._sessions += 1
        part = WHOLE
        if self._my_part is not None:
            planned = self._my_part.part if self._plan is not None else None
            part = planned or self._my_part.beside
        pace = (
            Planned(plan=self._plan, part=part)
            if self._plan is not None
            else Tokens(
                per_token_per_s=self._settings.per_user_per_s,
                turns=Turns(
                    [tenant.weight for tenant in self._settings.tenants], self._workload.weights
                ),
            )
        )
        self._session = _Session(
            self._settings, self._workload, pace, self._sessions, environment, self._failed, part,
            self._my_part,
        )  # fmt: skip
        self._session.start()

    def on_test_stop(self, **_: Any) -> None:
        """A test ends: settle what is in flight and finish the files."""
        if self._session is not None:
            self._session.finish()

    def on_quit(self, exit_code: int, **_: Any) -> None:
        """Locust ends: so does the process, at once, as the SDK may crash at interpreter exit."""
        if not self._hosts_sdk:
            return
        self.on_test_stop()
        code = 0 if self._settings.planned else exit_code
        _end(code if self._exit_code is None else self._exit_code)

    def _ready(self, parts: int) -> None:
        """The master's word: what it says of a plan in several processes."""
        planned = len(self._plan) if self._plan is not None else None
        ready = {"mode": self._settings.mode, "planned": planned, "processes": parts}
        print(f"{READY}{msgspec.json.encode(ready).decode()}", flush=True)

    def _failed(self, message: str, exit_code: int) -> None:
        _say(message)
        self._exit_code = exit_code
        if self._environment is not None:
            self._environment.process_exit_code = exit_code


class _Session:
    """One test: the engine in its thread, and the greenlet that takes what has happened."""

    def __init__(
        self,
        settings: Settings,
        workload: Workload,
        pace: Planned | Tokens,
        number: int,
        environment: Environment,
        failed: Failed,
        part: Part,
        mine: MyPart | None,
    ) -> None:
        self._settings = settings
        self._workload = workload
        self._pace = pace
        self._number = number
        self._environment = environment
        self._failed = failed
        self._part = part
        self._mine = mine
        self._prefix = f"load-{settings.trial_id or os.getpid()}-{number}"
        if not part.of:  # each process counts its arrivals from 0
            self._prefix += f"-{part.number}"
        self._driver = TemporalDriver(settings, workload, self._prefix, pace.clock, part.number)
        self._engine = Engine(
            driver=self._driver,
            pace=pace,
            in_flight=settings.in_flight,
            horizon_s=settings.horizon_s,
            begin_at_wall_ns=part.begin_wall_ns,
        )
        self._recorder: Recorder | None = None
        self._pump: gevent.Greenlet | None = None
        self._finishing = False
        self._finished = gevent.event.Event()

    def add_token(self, number: int) -> None:
        """A Locust user came or went."""
        if isinstance(self._pace, Tokens):
            self._pace.count += number

    def start(self) -> None:
        """Start the engine and wait until it is ready; one that cannot ends Locust's test."""
        engine = self._engine

        def in_thread() -> None:
            loop = uvloop.new_event_loop()
            try:
                loop.run_until_complete(engine.run())
            finally:
                engine.finished = True

        # a native thread: one of gevent's would be a greenlet, and the loop would block them all
        gevent.monkey.get_original("_thread", "start_new_thread")(in_thread, ())
        while not engine.ready and not engine.finished:
            gevent.sleep(0.005)
        try:
            if engine.ready:
                self._open()
        except OSError as error:
            self._disk(error)
        self._pump = gevent.spawn(self._watch)

    def finish(self) -> None:
        """Stop, settle, write everything; a second call waits for the first."""
        if self._finishing:
            self._finished.wait()
            return
        self._finishing = True
        self._engine.stop()
        try:
            with gevent.Timeout(2 * GRACE_S + _HANG_S, False):
                while not self._engine.finished:
                    gevent.sleep(0.01)
            self._report_failure()
            self._take()
            self._close()
        except OSError as error:
            self._disk(error)
        finally:
            self._finished.set()

    def _open(self) -> None:
        engine, settings = self._engine, self._settings
        planned = len(self._pace.plan) if isinstance(self._pace, Planned) else None
        if settings.trial is not None:
            origin = Origin(
                trial_id=settings.trial_id,
                workload=self._workload.name,
                workflow_id_prefix=self._prefix,
                tenants=[tenant.tenant for tenant in settings.tenants],
                begin_ns=engine.begin_ns,
                begin_wall_ns=engine.begin_wall_ns,
                horizon_s=settings.horizon_s,
                follows_first_task=settings.sli == FIRST_TASK_SLI,
                operations=[each.name for each in self._workload.operations],
                kinds=[each.kind.name for each in self._workload.operations],
                volumes=self._driver.volumes,
                settings=settings.described(),
            )
            self._recorder = Recorder(settings, self._number, origin, self._part)
        if self._mine is not None and planned is not None:
            return  # the master says it
        ready = {"mode": settings.mode, "planned": planned, "begin_ns": engine.begin_ns}
        print(f"{READY}{msgspec.json.encode(ready).decode()}", flush=True)

    def _watch(self) -> None:
        while not self._engine.finished and not self._finishing:
            gevent.sleep(_EVERY_S)
            try:
                self._take()
            except OSError as error:
                self._disk(error)
                break
        if not self._finishing:
            self._end_test()

    def _report_failure(self) -> None:
        failure = self._engine.failure
        if isinstance(failure, HarnessError):
            self._failed(str(failure), failure.exit_code)
        elif failure is not None:
            self._failed(f"the generator failed: {failure!r}", EXIT_BUG)

    def _end_test(self) -> None:
        """End the test from a greenlet of its own; without a web interface Locust ends with it.

        A part of a plan has ended when its files are written; the master ends the test.
        """
        runner = self._environment.runner
        assert runner is not None
        if self._mine is not None and isinstance(self._pace, Planned):
            gevent.spawn(self._end_part)
        elif self._environment.web_ui is not None or isinstance(runner, WorkerRunner):
            gevent.spawn(runner.stop)
        else:
            gevent.spawn(runner.quit)

    def _end_part(self) -> None:
        self.finish()
        failure = self._engine.failure
        said = str(failure) if isinstance(failure, HarnessError) else repr(failure)
        code = failure.exit_code if isinstance(failure, HarnessError) else EXIT_BUG
        assert self._mine is not None
        self._mine.end(said if failure else "", code if failure else 0)

    def _take(self) -> None:
        answered = True
        while answered:
            answered = bool(batch := self._engine.answered())
            for sample in batch:
                self._fire_answered(sample)
        while ended := self._engine.ended():
            if self._recorder is not None:
                self._recorder.write(ended)
            for sample in ended:
                operation = self._workload.operations[sample.operation]
                if operation.kind is Kind.RUN and sample.answered_ns:
                    ended_ns = sample.completed_ns if sample.outcome is SampleOutcome.OK else 0
                    self._fire(operation.name, sample, ended_ns)
        if self._recorder is not None:
            self._recorder.stalled(self._engine.stalls())
            self._recorder.gauge(self._engine.unfinished, self._engine.sent)

    def _fire_answered(self, sample: Sample) -> None:
        operation = self._workload.operations[sample.operation]
        name = "start" if operation.kind in STARTING else operation.name
        self._fire(name, sample, sample.answered_ns)

    def _fire(self, name: str, sample: Sample, until_ns: int) -> None:
        """Tell Locust's statistics; `until_ns` is 0 for what did not come to its good end."""
        passed_ns = (until_ns or self._pace.clock()) - sample.intended_ns
        hooks: Any = self._environment.events
        hooks.request.fire(
            request_type=self._workload.name,
            name=name,
            response_time=passed_ns / 1e6,
            response_length=0,
            exception=None if until_ns else RuntimeError(sample.cause),
            context={"tenant": self._settings.tenants[sample.tenant].tenant},
        )

    def _close(self) -> None:
        if self._recorder is None:
            return
        self._recorder.write_all(self._engine.leftover())
        planned = len(self._pace.plan) if isinstance(self._pace, Planned) else None
        run = self._recorder.close(planned)
        _LOG.info(
            "%d of %d planned arrivals sent, samples in %s", run.sent, run.planned, run.samples
        )

    def _disk(self, error: OSError) -> None:
        self._failed(
            f"{self._settings.trial}: {error.strerror}; what was recorded is kept",
            EXIT_UNAVAILABLE,
        )
        self._recorder = None
        self._engine.stop()


def _say(message: str) -> None:
    print(f"{SAYS}{message}", file=sys.stderr, flush=True)


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
