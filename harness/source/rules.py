"""What workflow code must not reach: one row for each rule, and the dotted names it forbids.

Rules without names are about the shape of the code, and are looked for by `harness.source.shapes`
(in workflow code) and `harness.source.setup` (where the sandbox is set up).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`forbids` are dotted names; each stands for itself and everything below it, except `allows`.

    `instead` is what workflow code does in its place.
    """

    id: str
    says: str
    instead: str = ""
    forbids: frozenset[str] = frozenset()
    allows: frozenset[str] = frozenset()

    def match(self, dotted: str) -> str:
        """The forbidden name that a dotted name is, or lies below; empty if none.

        The longest name decides: what is allowed may hold what is forbidden, and the reverse.
        """
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            if name in self.allows:
                return ""
            if name in self.forbids:
                return name
        return ""


def _below(module: str, names: str) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for name in names.split())


PDP_CLIENT: Final = "pdp-client"
CLIENT_IMPORT: Final = "client-import"
RANDOMNESS: Final = "randomness"
CLOCK: Final = "clock"
ENVIRONMENT: Final = "environment"
FILES: Final = "files"
THREADS: Final = "threads"
ASYNCIO: Final = "asyncio"
SET_ORDER: Final = "set-order"
IDENTITY: Final = "hash-or-id"
GLOBAL_STATE: Final = "global-state"
NOT_AWAITED: Final = "not-awaited"

UNSANDBOXED_RUNNER: Final = "unsandboxed-runner"
UNSANDBOXED_WORKFLOW: Final = "unsandboxed-workflow"
UNRESTRICTED: Final = "sandbox-unrestricted"
PASSED_THROUGH: Final = "passed-through"

DYNAMIC: Final = frozenset(
    {"exec", "eval", "compile", "__import__", "importlib.import_module", "runpy.run_module"}
)

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        id=PDP_CLIENT,
        says="a client of the network, by which a PDP could be asked",
        instead="an activity",
        forbids=frozenset(
            {
                "aiohttp", "asyncio.open_connection", "asyncio.open_unix_connection", "authzen",
                "casbin", "cedarpy", "cerbos", "ftplib", "grpc", "h11", "h2", "http.client",
                "httpcore", "httpx", "opa_client", "openfga_sdk", "oso", "permit", "pycasbin",
                "pycurl", "requests", "socket", "ssl", "temporalio.client", "tornado.httpclient",
                "urllib.request", "urllib3", "websockets", "xmlrpc.client",
            }
        ),
        allows=_below("http.client", "HTTPException responses")
        | _below("temporalio.client", "WorkflowFailureError RPCError"),
    ),
    Rule(
        id=CLIENT_IMPORT,
        says="an import of a client of the network, which nothing in the workflow's module needs",
        instead="an import in the module of the activities",
    ),
    Rule(
        id=RANDOMNESS,
        says="chance, which a replay cannot repeat",
        instead="workflow.random(), workflow.uuid4(), or random.Random with a seed",
        forbids=frozenset({"random", "secrets", "os.urandom", "os.getrandom", "numpy.random"})
        | _below("uuid", "uuid1 uuid4 uuid6 uuid7 getnode"),
        allows=frozenset({"random.Random"}) | _below("secrets", "compare_digest"),
    ),
    Rule(
        id=CLOCK,
        says="the time of the machine",
        instead="workflow.now(), workflow.time() or workflow.sleep()",
        forbids=_below(
            "time",
            "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time "
            "process_time_ns thread_time thread_time_ns clock_gettime clock_gettime_ns sleep "
            "localtime ctime tzname timezone altzone daylight",
        )
        | _below("datetime.datetime", "now utcnow today")
        | _below("datetime.date", "today"),
    ),
    Rule(
        id=ENVIRONMENT,
        says="the process or machine that it happens to run on",
        instead="an argument of the workflow, or an activity",
        forbids=frozenset({"platform", "getpass", "locale", "pwd", "resource"})
        | _below(
            "os",
            "environ environb getenv getenvb putenv unsetenv getcwd getcwdb chdir getpid getppid "
            "getlogin getuid getgid geteuid cpu_count uname getloadavg sched_getaffinity "
            "process_cpu_count",
        )
        | _below("os.path", "expanduser expandvars abspath realpath")
        | _below("pathlib.Path", "cwd home")
        | _below(
            "sys",
            "argv orig_argv path executable flags stdin getrefcount getdefaultencoding "
            "getfilesystemencoding",
        ),
        allows=_below("locale", "Error"),
    ),
    Rule(
        id=FILES,
        says="files or other programs",
        instead="an activity",
        forbids=frozenset(
            {
                "open", "input", "io.open", "shutil", "tempfile", "sqlite3", "glob", "fileinput",
                "dbm", "shelve", "mmap", "fcntl", "linecache", "subprocess",
            }
        )
        | _below(
            "os",
            "open fdopen read write close listdir scandir walk mkdir makedirs remove unlink rename "
            "replace rmdir removedirs stat lstat access system popen link symlink readlink chmod "
            "chown pipe truncate utime",
        )
        | _below(
            "os.path",
            "exists lexists isfile isdir islink ismount getsize getmtime getatime getctime "
            "samefile",
        ),
    ),
    Rule(
        id=THREADS,
        says="another thread or process",
        instead="asyncio tasks, or an activity",
        forbids=frozenset(
            {
                "threading", "_thread", "multiprocessing", "concurrent.futures", "queue", "signal",
                "asyncio.to_thread", "asyncio.run_coroutine_threadsafe",
                "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell",
            }
        )
        | _below("os", "fork forkpty kill killpg wait waitpid spawnl spawnv execv execve"),
        allows=frozenset({"concurrent.futures.CancelledError", "concurrent.futures.TimeoutError"}),
    ),
    Rule(
        id=ASYNCIO,
        says="a part of asyncio that is not deterministic, or not the workflow's own loop",
        instead="workflow.wait(), workflow.as_completed(), or asyncio's tasks and futures",
        forbids=_below(
            "asyncio",
            "wait as_completed run Runner new_event_loop set_event_loop get_event_loop_policy "
            "set_event_loop_policy start_server start_unix_server add_signal_handler",
        ),
    ),
    Rule(
        id=SET_ORDER,
        says="the order of a set, which differs from process to process",
        instead="sorted(...), or a dict or list, which keep their order",
    ),
    Rule(
        id=IDENTITY,
        says="a hash or an address, which differs from process to process",
        instead="hashlib, or a number of your own",
        forbids=frozenset({"hash", "id", "object.__hash__"}),
    ),
    Rule(
        id=GLOBAL_STATE,
        says="state of the module, which outlives a run where the module passes through",
        instead="an attribute of the workflow",
    ),
    Rule(
        id=NOT_AWAITED,
        says="a coroutine that nobody awaits: it never runs, or ends with the run",
        instead="await, or asyncio.create_task and an await of the task",
    ),
    Rule(
        id=UNSANDBOXED_RUNNER,
        says="a worker whose workflows run outside the sandbox",
        instead="SandboxedWorkflowRunner, which is the default",
        forbids=frozenset({"temporalio.worker.UnsandboxedWorkflowRunner"}),
    ),
    Rule(
        id=UNSANDBOXED_WORKFLOW,
        says="a workflow that opts out of the sandbox",
        instead="workflow.defn without sandboxed=False",
    ),
    Rule(
        id=UNRESTRICTED,
        says="a section without the sandbox's restrictions",
        instead="an activity, or a module that is reviewed and passes through",
        forbids=frozenset({"temporalio.workflow.unsafe.sandbox_unrestricted"}),
    ),
    Rule(
        id=PASSED_THROUGH,
        says="a module that passes through the sandbox: nothing in it is isolated or restricted",
        instead="an import inside the sandbox, or a review of the module",
    ),
)  # fmt: skip
SANDBOX: Final = (UNSANDBOXED_RUNNER, UNSANDBOXED_WORKFLOW, UNRESTRICTED, PASSED_THROUGH)
CODE: Final = tuple(rule.id for rule in RULES if rule.id not in SANDBOX)


def forbidding(rules: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of these ids that forbid names."""
    chosen = set(rules)
    return tuple(rule for rule in RULES if rule.id in chosen and rule.forbids)
