"""The static rules: what they find, and what they let be. False alarms count as much as misses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.checks.check import Check
from harness.checks.determinism import CHECKS
from harness.journal.records import SourceFinding
from harness.outcome import Outcome
from harness.source import scan
from harness.source.rules import CODE, RULES, SANDBOX
from harness.source.seeds import sown
from harness.source.setup import entry_of
from tests.unit.test_source import project, saga, seen, told

DET_5: Check = next(check for check in CHECKS if check.id == "INV-DET-5")
DET_6: Check = next(check for check in CHECKS if check.id == "INV-DET-6")


def rules(folder: Path, imports: str, run: str, **modules: str) -> list[str]:
    """The rules that a workflow with these lines breaks for certain."""
    found = project(folder, saga(imports, run), **modules).findings
    return [each.rule for each in found if each.certain]


# --- what is found


@pytest.mark.parametrize(
    ("rule", "imports", "run"),
    [
        ("randomness", "import random", "random.random()"),
        ("randomness", "from random import choice as pick", "pick('ab')"),
        ("randomness", "import random", "random.Random()"),
        ("randomness", "import random", "random.SystemRandom()"),
        ("randomness", "import uuid", "uuid.uuid4()"),
        ("randomness", "import secrets", "secrets.token_hex()"),
        ("clock", "import time", "time.time()"),
        ("clock", "import time", "time.sleep(1)"),
        ("clock", "from datetime import datetime", "datetime.now()"),
        ("clock", "import datetime as dt", "dt.date.today()"),
        ("clock", "from datetime import datetime", "datetime.fromtimestamp(1)"),
        ("clock", "", "workflow.now().astimezone()"),
        ("environment", "import os", "os.environ['X']"),
        ("environment", "from os import getenv", "getenv('X')"),
        ("environment", "import sys", "sys.argv[1]"),
        ("environment", "import platform", "platform.node()"),
        ("environment", "from pathlib import Path", "Path.cwd()"),
        ("files", "", "open('x')"),
        ("files", "import os", "os.listdir('x')"),
        ("files", "import os.path", "os.path.exists('x')"),
        ("files", "from pathlib import Path", "Path('x').read_text()"),
        ("files", "from pathlib import Path", "p = Path('x') / 'y'; p.exists()"),
        ("files", "import subprocess", "subprocess.run(['x'])"),
        ("threads", "import threading", "threading.Thread(target=print)"),
        ("threads", "import asyncio", "await asyncio.to_thread(print)"),
        ("threads", "import asyncio", "asyncio.get_running_loop().run_in_executor(None, print)"),
        ("threads", "from concurrent.futures import ThreadPoolExecutor as P", "P()"),
        ("pdp-client", "import socket", "socket.create_connection(('x', 1))"),
        ("client-import", "import requests", "pass"),
        ("client-import", "from urllib.request import urlopen", "pass"),
        ("asyncio", "import asyncio", "await asyncio.wait([])"),
        ("asyncio", "import asyncio", "asyncio.as_completed([])"),
        ("hash-or-id", "", "hash('x')"),
        ("hash-or-id", "", "sorted([], key=id)"),
        ("global-state", "SEEN = []", "SEEN.append(1)"),
        ("global-state", "SEEN = {}", "SEEN['x'] = 1"),
        ("global-state", "SEEN = {}", "del SEEN['x']"),
        ("global-state", "N = 0", "global N; N += 1"),
        ("global-state", "from itertools import count\nN = count()", "next(N)"),
        ("global-state", "", "Saga.runs = 1"),
        ("global-state", "", "self.__class__.runs = 1"),
        ("global-state", "", "type(self).runs = 1"),
        ("not-awaited", "", "workflow.sleep(1)"),
        ("not-awaited", "", "workflow.execute_activity('x')"),
        ("not-awaited", "async def tell(): ...", "tell()"),
        ("not-awaited", "", "h = workflow.get_external_workflow_handle('x'); h.signal('s')"),
        ("set-order", "", "[x for x in {'a', 'b'}]"),
        ("set-order", "", "list(set('ab'))"),
        ("set-order", "", "', '.join({'a', 'b'})"),
        ("set-order", "", "[*frozenset('ab')]"),
        ("set-order", "", "x = set('ab'); y = {1: 2}\n        for each in x: print(each)"),
        ("set-order", "", "a, b = {'a', 'b'}"),
        ("set-order", "", "{'a', 'b'}.pop()"),
        ("set-order", "", "{each: 1 for each in set('ab')}"),
        ("set-order", "", "str({'a', 'b'})"),
        ("set-order", "", "print(f\"{set('ab')}\")"),
        ("set-order", "", "list({'a': 1}.keys() & {'b': 1}.keys())"),
        ("set-order", "", "enumerate(set('ab') | set('c'))"),
        ("set-order", "", "await workflow.execute_activity('x', {'a', 'b'})"),
        ("set-order", "import asyncio", "await asyncio.gather(*{print})"),
        ("set-order", "KNOWN = {'a', 'b'}", "[x for x in KNOWN]"),
        ("set-order", "def known() -> set[str]: ...", "[x for x in known()]"),
    ],
)
def test_what_breaks_a_rule_is_found(tmp_path: Path, rule: str, imports: str, run: str) -> None:
    assert rules(tmp_path, imports, run) == [rule]


def test_every_rule_of_code_is_among_those_tests() -> None:
    """And every rule is judged by a check, in a clause of its own."""
    mark = next(
        m
        for m in test_what_breaks_a_rule_is_found.pytestmark
        if m.name == "parametrize"  # type: ignore[attr-defined]
    )
    assert {case[0] for case in mark.args[1]} == set(CODE)
    assert {rule.id for rule in RULES} == {*CODE, *SANDBOX}


def test_sets_that_are_kept_in_the_workflow_are_known(tmp_path: Path) -> None:
    source = """
    from temporalio import workflow

    @workflow.defn
    class Saga:
        def __init__(self) -> None:
            self.names: set[str] = set()
            self.numbers: set[int] = set()

        @workflow.run
        async def run(self, given: frozenset[str]) -> None:
            for name in self.names:
                print(name)
            for number in self.numbers:
                print(number)
            print(list(given))
    """
    assert [each.line for each in project(tmp_path, source).findings] == [12, 16]


def test_helpers_are_followed_into_other_modules_and_objects(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        saga("from clocks import Clock, CLOCK", "Clock().now()", "CLOCK.now()").replace(
            "def helper", "def __init__(self):\n        self.clock = Clock()\n\n    def helper"
        ),
        clocks="import time\nclass Clock:\n    def now(self):\n        return time.time()\n"
        "CLOCK = Clock()\n",
    )
    assert [(f.file, f.where, f.certain) for f in found.findings] == [
        ("clocks.py", "Clock.now", True)
    ]


def test_a_handler_that_nobody_waits_for_is_found(tmp_path: Path) -> None:
    handler = (
        "@workflow.signal\n    async def go(self):\n"
        "        await workflow.sleep(1)\n\n    def helper"
    )
    with_handler = saga().replace("def helper", handler)
    assert [f.uses for f in project(tmp_path, with_handler).findings] == ["handler go"]
    waiting = saga(run="await workflow.wait_condition(workflow.all_handlers_finished)")
    assert project(tmp_path, waiting.replace("def helper", handler)).findings == []


def test_what_makes_a_default_and_what_decorates_is_followed(tmp_path: Path) -> None:
    orders = """
    import time
    from dataclasses import dataclass, field
    from uuid import uuid4

    def timed(function):
        def wrapper(*args):
            print(time.time())
            return function(*args)
        return wrapper

    @dataclass
    class Order:
        id: str = field(default_factory=lambda: str(uuid4()))
        lines: list = field(default_factory=list)

    @timed
    def price(order):
        return 1
    """
    run = "price(Order())"
    found = project(tmp_path, saga("from orders import Order, price", run), orders=orders)
    assert [(f.where, f.uses) for f in found.findings] == [
        ("timed", "time.time"),
        ("Order.id", "uuid.uuid4"),
    ]


def test_a_validator_is_decorated_by_its_handler(tmp_path: Path) -> None:
    handler = (
        "@workflow.update\n    def note(self): ...\n\n"
        "    @note.validator\n    def check(self): ...\n\n    def helper"
    )
    found = project(tmp_path, saga().replace("def helper", handler))
    assert (found.findings, found.outside) == ([], [])


def test_an_overridden_method_is_not_reached_and_one_by_super_is(tmp_path: Path) -> None:
    parent = """
    import time
    class Parent:
        def one(self):
            time.time()
        def two(self):
            time.sleep(1)
    """
    found = project(
        tmp_path,
        saga("from parent import Parent", "self.one(); self.two()", "pass")
        .replace("Saga:", "Saga(Parent):")
        .replace("def helper(self):", "def one(self):\n        pass\n\n    def two(self):")
        .replace("        pass\n", "        super().two()\n"),
        parent=parent,
    )
    assert [(f.where, f.uses) for f in found.findings] == [("Parent.two", "time.sleep")]


def test_patches_and_workflow_types_are_read(tmp_path: Path) -> None:
    source = """
    from temporalio import workflow
    from ids import SECOND

    @workflow.defn(name="Order")
    class Saga:
        @workflow.run
        async def run(self):
            if workflow.patched("first"):
                pass
            workflow.deprecate_patch(SECOND)
            workflow.patched(self.computed())
    """
    found = project(tmp_path, source, ids="SECOND = 'second'\n")
    assert found.types == ["Order"]
    assert [(p.id, p.call, p.line, p.workflow) for p in found.patches] == [
        ("first", "patched", 9, "flows.Saga"),
        ("second", "deprecate_patch", 11, "flows.Saga"),
        ("", "patched", 12, "flows.Saga"),
    ]


def test_every_rule_has_a_seed_and_all_are_named() -> None:
    seeds = list(sown())
    assert {each.name for each in seeds if not each.sound} == {*CODE, *SANDBOX}
    assert [each.name for each in seeds if each.alarmed is each.sound] == []


# --- what is fine


CLUSTER = """
import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Optional, Set
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

@dataclass
class State:
    nodes: dict[str, Optional[str]] = field(default_factory=dict)
    jobs: Set[str] = field(default_factory=set)

@workflow.defn
class Cluster:
    @workflow.init
    def __init__(self, input: State) -> None:
        self.state = input
        self.lock = asyncio.Lock()
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.timer = None

    @workflow.run
    async def run(self, input: State) -> int:
        while not workflow.info().is_continue_as_new_suggested():
            job = await self.queue.get()
            async with self.lock:
                await self.assign(job)
            try:
                async with asyncio.timeout(10):
                    await asyncio.gather(*(self.assign(n) for n in sorted(self.bad())))
            except (asyncio.TimeoutError, ApplicationError) as error:
                workflow.logger.warning("late: %s", error)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self.state)

    @workflow.signal
    async def submit(self, job: str) -> None:
        await self.queue.put(job)

    @workflow.update
    async def remove(self, job: str) -> bool:
        if job in self.state.jobs:
            self.state.jobs.discard(job)
        return not self.state.jobs

    @remove.validator
    def check(self, job: str) -> None:
        if not job:
            raise ApplicationError("no job")

    @workflow.query
    def count(self) -> int:
        return len(self.bad() | set(self.state.jobs))

    def bad(self) -> Set[str]:
        return {name for name, job in self.state.nodes.items() if job == "BAD"}

    async def assign(self, name: str) -> None:
        free = [key for key, job in self.state.nodes.items() if job is None]
        for node in free[:2]:
            self.state.nodes[node] = name
        handle = workflow.start_activity("assign", name, start_to_close_timeout=timedelta(1),
                                         retry_policy=RetryPolicy(maximum_attempts=2))
        self.timer = asyncio.create_task(workflow.sleep(5))
        await handle
        child = await workflow.start_child_workflow("Sub", name, id=f"sub-{name}")
        await child.signal("go", name)
        child.cancel()
"""


def test_a_workflow_with_all_that_is_usual_is_let_be(tmp_path: Path) -> None:
    found = project(tmp_path, CLUSTER)
    assert (found.findings, found.outside, found.unfollowed) == ([], [], [])


@pytest.mark.parametrize(
    ("imports", "run"),
    [
        ("", "workflow.random().random(); workflow.uuid4(); workflow.now(); workflow.time()"),
        ("import random", "random.Random(7).random()"),
        ("import random", "random.Random(workflow.random().random())"),
        ("import uuid", "uuid.UUID('x'); uuid.uuid5(uuid.NAMESPACE_URL, 'x')"),
        ("from datetime import datetime, timedelta, UTC", "datetime.fromtimestamp(1, UTC)"),
        ("from datetime import datetime", "datetime.fromisoformat('2026-01-01')"),
        ("import time", "time.strptime('1', '%d')"),
        ("import os.path", "os.path.join('a', 'b'); os.path.basename('a')"),
        ("from pathlib import PurePath, Path", "PurePath('x') / 'y'; Path('x').name"),
        ("import asyncio", "await asyncio.gather(asyncio.sleep(1), asyncio.sleep(2))"),
        ("import asyncio", "t = asyncio.create_task(asyncio.sleep(1)); await t"),
        ("import asyncio", "await asyncio.wait_for(asyncio.sleep(1), 2); asyncio.Event()"),
        ("", "await workflow.wait([]); workflow.as_completed([])"),
        ("", "for each in sorted({'a', 'b'}): print(each)"),
        ("", "sorted(x for x in {'a', 'b'}); len(set('ab')); 'a' in {'a', 'b'}"),
        ("", "sorted(list(set('ab'))); max(map(len, {'a', 'bb'})); any(x for x in set('ab'))"),
        ("", "frozenset([*{'a', 'b'}]); {*{'a'}, 'b'}; {x for x in set('ab')}"),
        ("", "for n in {1, 2, 3}: print(n)"),
        ("", "for n in set(range(3)): print(n)"),
        ("", "seen = set()\n        for x in {'a'}: seen.add(x)"),
        ("", "x = {'a', 'b'}; x = sorted(x)\n        for each in x: print(each)"),
        ("", "d = dict.fromkeys('ab')\n        for each in d: print(each)"),
        ("SEEN = []", "seen = []; seen.append(1); print(SEEN)"),
        ("LIMITS = {'a': 1}", "LIMITS.get('a'); LIMITS['a']; list(LIMITS)"),
        ("", "self.n = 1; self.items = []; self.items.append(1)"),
        ("", "SEEN = {}; SEEN['x'] = 1"),
        ("", "id = 1; hash = 2; print(id, hash)"),
        ("", "run = lambda input, open: input.id + open"),
        ("import asyncio", "q = asyncio.Queue(); q.put_nowait(1); await asyncio.Lock().acquire()"),
        ("import asyncio", "async with asyncio.timeout(1): pass"),
        ("from collections import Counter", "c = Counter('ab') - Counter('a'); print(list(c))"),
        ("import json, re, logging, enum, contextlib, copy", "json.dumps(copy.copy(re.sub))"),
        ("", "match self.x:\n            case {'input': input}: print(input)"),
        ("from enum import Enum\nclass Color(Enum):\n    RED = 1", "[each for each in Color]"),
        ("", "workflow.start_activity('x'); workflow.logger.info('x')"),
        ("", "workflow.upsert_memo({}); workflow.set_query_handler('x', print)"),
        ("def tell(): ...", "tell()"),
        ("import functools\n@functools.lru_cache\ndef pure(x): return x", "pure(1)"),
        ("import sys", "sys.version_info >= (3, 11)"),
        ("from concurrent.futures import TimeoutError as T", "isinstance(1, T)"),
        ("import logging\nLOG = logging.getLogger('x')", "LOG.info('x')"),
    ],
)
def test_what_is_fine_is_let_be(tmp_path: Path, imports: str, run: str) -> None:
    found = project(tmp_path, saga(imports, run))
    assert [(f.rule, f.uses) for f in found.findings] == []


def test_a_class_may_hash_itself(tmp_path: Path) -> None:
    source = "class Key:\n    def __hash__(self):\n        return hash(1)\n"
    assert rules(tmp_path, "from keys import Key", "Key()", keys=source) == []


def test_a_client_that_an_activity_of_the_same_module_uses_is_fine(tmp_path: Path) -> None:
    act = (
        "import requests\nfrom temporalio import activity\n\n"
        "@activity.defn\ndef ask():\n    requests.get('x')\n"
    )
    found = project(tmp_path, saga(act, "await workflow.execute_activity(ask)"))
    assert found.findings == []


def test_what_only_activities_do_is_fine(tmp_path: Path) -> None:
    acts = """
    import os, random, time
    from temporalio import activity
    STATE = {}

    class Acts:
        @activity.defn
        async def one(self):
            STATE["n"] = random.random()
            return self._other()

        def _other(self):
            return open(os.environ["X"]), time.time(), list({"a", "b"})

    @activity.defn
    async def two():
        return hash("x")
    """
    run = "await workflow.execute_activity(two); await workflow.execute_activity_method(Acts.one)"
    found = project(tmp_path, saga("from acts import Acts, two", run), acts=acts)
    assert found.findings == []


# --- reviewed


def test_a_comment_with_a_reason_marks_a_line_as_reviewed(tmp_path: Path) -> None:
    found = project(tmp_path, saga(run="hash(1)  # replay-safe: integers hash to themselves"))
    assert [f.reviewed for f in found.findings] == ["integers hash to themselves"]
    assert told(found).judge(DET_5).outcome is Outcome.PASS


def test_a_comment_without_a_reason_reviews_nothing(tmp_path: Path) -> None:
    found = project(tmp_path, saga(run="hash(1)  # replay-safe:"))
    assert told(found).judge(DET_5).outcome is Outcome.FAIL


# --- the sandbox


WORKER = """
from temporalio.worker import Worker, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from flows import Saga

async def main(client):
    Worker(client, task_queue="q", workflows=[Saga], {settings})
"""


def set_up(folder: Path, settings: str = "", flows: str = "") -> list[tuple[str, str]]:
    (folder / "main.py").write_text(WORKER.format(settings=settings))
    (folder / "flows.py").write_text(flows or saga())
    found = scan("flows", folder, setup="main")
    assert found.setup == "main"
    return [(each.rule, each.uses) for each in found.findings]


RESTRICTED = "workflow_runner=SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default"


@pytest.mark.parametrize(
    ("settings", "rule", "uses"),
    [
        (
            "workflow_runner=UnsandboxedWorkflowRunner()",
            "unsandboxed-runner",
            "temporalio.worker.UnsandboxedWorkflowRunner",
        ),
        ("debug_mode=True", "unsandboxed-runner", "debug_mode=True"),
        (f"{RESTRICTED}.with_passthrough_modules('acme'))", "passed-through", "acme"),
        (f"{RESTRICTED}.with_passthrough_modules(*NAMES))", "passed-through", "*"),
        (f"{RESTRICTED}.with_passthrough_all_modules())", "passed-through", "*"),
    ],
)
def test_a_worker_that_loosens_the_sandbox_is_found(
    tmp_path: Path, settings: str, rule: str, uses: str
) -> None:
    assert set_up(tmp_path, settings) == [(rule, uses)]


def test_a_worker_that_keeps_the_sandbox_is_fine(tmp_path: Path) -> None:
    assert set_up(tmp_path) == []
    assert set_up(tmp_path, "workflow_runner=SandboxedWorkflowRunner(), debug_mode=False") == []


@pytest.mark.parametrize(
    ("flows", "rule"),
    [
        (saga().replace("workflow.defn", "workflow.defn(sandboxed=False)"), "unsandboxed-workflow"),
        (
            saga(run="\n        with workflow.unsafe.sandbox_unrestricted():\n            pass"),
            "sandbox-unrestricted",
        ),
        (
            saga("with workflow.unsafe.imports_passed_through():\n    import acme.rules"),
            "passed-through",
        ),
    ],
)
def test_a_workflow_that_leaves_the_sandbox_is_found(tmp_path: Path, flows: str, rule: str) -> None:
    assert [found for found, _ in set_up(tmp_path, flows=flows)] == [rule]


def test_what_the_sdk_and_python_let_through_needs_no_review(tmp_path: Path) -> None:
    block = "with workflow.unsafe.imports_passed_through():\n    import json\n    import temporalio"
    assert set_up(tmp_path, flows=saga(block)) == []


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (("python", "-m", "app.worker", "x"), "app.worker"),
        (("python", "./app/worker.py"), "app.worker"),
        (("app-worker",), ""),
        ((), ""),
        (("python", "-m"), ""),
    ],
)
def test_the_module_that_a_command_runs(command: tuple[str, ...], module: str) -> None:
    assert entry_of(command) == module


# --- the verdicts


def found(rule: str, **fields: Any) -> SourceFinding:
    given: dict[str, Any] = {
        "rule": rule, "file": "flows.py", "line": 3, "where": "Saga.run", "uses": "x",
        "certain": True,
    }  # fmt: skip
    return SourceFinding(**{**given, **fields})


@pytest.mark.parametrize("rule", CODE)
def test_each_rule_of_code_turns_it_red(rule: str) -> None:
    verdict = told(seen(findings=[found(rule)])).judge(DET_5)
    assert verdict.outcome is Outcome.FAIL
    assert sum(c.outcome is Outcome.FAIL for c in verdict.clauses) == 1
    assert "flows.py:3: Saga.run uses x" in verdict.witnesses[0].text


@pytest.mark.parametrize("rule", SANDBOX)
def test_each_rule_of_the_sandbox_turns_it_red(rule: str) -> None:
    verdict = told(seen(findings=[found(rule)], setup="main")).judge(DET_6)
    assert verdict.outcome is Outcome.FAIL
    assert sum(c.outcome is Outcome.FAIL for c in verdict.clauses) == 1


def test_clean_code_passes_both() -> None:
    story = told(seen(setup="main"))
    assert [story.judge(check).outcome for check in (DET_5, DET_6)] == [Outcome.PASS] * 2


def test_a_reviewed_module_may_pass_through_and_nothing_below_the_root_alone() -> None:
    story = told(seen(findings=[found("passed-through", uses="acme.rules")], setup="main"))
    for reviewed, outcome in (
        (["acme"], Outcome.PASS),
        (["acme.rules"], Outcome.PASS),
        (["acme.rule"], Outcome.FAIL),
        ([], Outcome.FAIL),
    ):
        assert story.judge(DET_6, passthrough_modules=reviewed).outcome is outcome
    everything = told(seen(findings=[found("passed-through", uses="*")], setup="main"))
    assert everything.judge(DET_6, passthrough_modules=["*"]).outcome is Outcome.FAIL


def test_a_worker_whose_set_up_was_not_seen_leaves_the_sandbox_open() -> None:
    verdict = told(seen()).judge(DET_6)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "its runner was not seen" in verdict.reason


@pytest.mark.parametrize(
    ("through", "outcome"), [("ask_pdp", Outcome.INCONCLUSIVE), ("get", Outcome.PASS)]
)
def test_what_only_may_be_reached_leaves_it_open(through: str, outcome: Outcome) -> None:
    """But not by the name of a method that Python's own types have."""
    possible = found("clock", certain=False, through=through)
    assert told(seen(findings=[possible])).judge(DET_5).outcome is outcome


@pytest.mark.parametrize("check", [DET_5, DET_6], ids=lambda check: check.id)
def test_another_language_cannot_be_read(check: Check) -> None:
    assert told(language="rust").judge(check).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("check", [DET_5, DET_6], ids=lambda check: check.id)
def test_without_a_scan_nothing_is_known(check: Check) -> None:
    assert told().judge(check).outcome is Outcome.INCONCLUSIVE
