"""The options of every command, checked before anything starts."""

from __future__ import annotations

import argparse
import difflib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness import __version__
from harness.errors import UsageError
from harness.load.blocks import FLOODS, USUAL
from harness.load.workload import WORKLOADS

ABOUT = """\
Proves whether a Temporal-based multi-tenant platform keeps the promises of its
architecture decision record, and under how much load and which faults.

Without a target file the reference platform is started: a real Temporal server, the
reference worker, and instruments that record what reaches them.
"""
EXITS = """\
exit codes:
  0  every assertion that counts passed
  1  at least one failed
  2  at least one could not be decided, and none failed
  64 a wrong option, ID or file    69 something needed is not there    70 a bug of the harness

first steps:
  harness verify                     the core profile on the reference platform
  harness verify INV-PDP-3           one assertion, driving only what it needs
  harness catalogue INV-PDP-3        what it means, how it is judged, which mutants prove it
  harness init platform.yaml         a commented target file to describe your platform
  harness doctor --target platform.yaml
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see: {self.prog} --help")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; raises `UsageError`. `module` names the command's module."""
    parser = _build()
    if not argv:
        parser.print_help()
        raise SystemExit(0)
    commands = {*_COMMANDS, "-h", "--help", "--version"}
    if argv[0] not in commands and not argv[0].startswith("-"):
        close = difflib.get_close_matches(argv[0], _COMMANDS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"unknown command {argv[0]!r}; {hint}commands: {', '.join(_COMMANDS)}")
    return parser.parse_args(argv)


_COMMANDS = (
    "verify",
    "load",
    "capacity",
    "compare",
    "chaos",
    "shrink",
    "replay",
    "recheck",
    "report",
    "mutants",
    "catalogue",
    "init",
    "doctor",
    "up",
)


def _build() -> _Parser:
    parser = _Parser(
        prog="harness",
        description=ABOUT,
        epilog=EXITS,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    _verify(commands)
    _load(commands)
    _capacity(commands)
    _compare(commands)
    _chaos(commands)
    _shrink(commands)
    _replay(commands)
    _recheck(commands)
    _report(commands)
    _mutants(commands)
    _catalogue(commands)
    _init(commands)
    _doctor(commands)
    _up(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, help_: str, about: str
) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=help_,
        description=textwrap.dedent(about),
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module=name)
    return parser


def _running(parser: _Parser) -> None:
    parser.add_argument(
        "--target",
        type=Path,
        metavar="FILE",
        help="the platform under test (default: the reference platform)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the trial's folder, new or empty (default: out/<trial id>)",
    )
    parser.add_argument(
        "--waivers",
        type=Path,
        metavar="FILE",
        help="reviewed exceptions (default: waivers.yaml, if there is one)",
    )
    parser.add_argument(
        "--no-show",
        action="store_true",
        help="judge, but do not run pytest over the verdicts or render a report",
    )
    parser.add_argument("--mutant", default="", help=argparse.SUPPRESS)  # what `mutants` runs
    _format(parser)


def _format(parser: _Parser) -> None:
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="the summary for people or for programs",
    )


def _verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "verify",
        "conformance: drive the platform, judge, report",
        """\
        Drives the platform with the sagas that the asked assertions need, judges what was
        recorded and writes a report. With IDs, only those are driven and judged.""",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="catalogue IDs (default: the profile)")
    parser.add_argument("--profile", default="core", help="which assertions to ask (default: core)")
    parser.add_argument(
        "--program",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="drive the sagas of these program files only, and judge what they feed",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the generated sagas (default: the trial's own)",
    )
    parser.add_argument(
        "--no-shrink", action="store_true", help="do not make a failing generated saga smaller"
    )
    _shrink_budget(parser)
    _running(parser)


def _shrink(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "shrink",
        "make the generated saga that failed in a trial smaller",
        """\
        Starts a platform, drives ever smaller versions of a saga that failed, many at once, and
        keeps the smallest that still fails as a program file in the trial's folder.""",
    )
    parser.add_argument("trial", type=Path, metavar="TRIAL")
    parser.add_argument(
        "--target",
        type=Path,
        metavar="FILE",
        help="the platform under test (default: the reference platform)",
    )
    parser.add_argument("--mutant", default="", help=argparse.SUPPRESS)
    parser.set_defaults(out=None, waivers=None)
    _shrink_budget(parser)


def _shrink_budget(parser: _Parser) -> None:
    parser.add_argument(
        "--shrink-budget",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds to shrink for at the most (default: 60)",
    )


def _load(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "load",
        "load: SLOs under planned arrivals, by Locust",
        """\
        Lets a workload's operations arrive by a plan, whatever the platform does, and measures
        from the intended time. Judges the SLOs that the workload shows.

        shapes of the plan, and what --rate and --duration are to each:
          constant                       the same rate throughout: R for S seconds
          ramp:1-20                      from 1 to 20 a second in S seconds; R follows (the mean)
          steps:5x30,0x10,20x30          5 a second for 30 s, none for 10 s, ...; both follow
          day:peak=3                     a day squeezed into S seconds: R is its mean, R x 3 noon,
                                         R / 3 the night
          burst:rate=50,every=20,for=2   50 a second in the last 2 of every 20 seconds, R (may be
                                         0) in all others, for S seconds

        The workload neighbours has one tenant work as ever, and another flood in every second of
        as many blocks; see --flood.

        What follows may be left out, or given if it agrees. A target's max_rate_per_s bounds the
        greatest rate of the shape.""",
    )
    _arrivals(parser)
    _noise(parser)
    parser.add_argument(
        "--idle",
        type=float,
        metavar="S",
        help="seconds before the load in which only what idle workers exchange with the engine is "
        "counted (default: 75 before a load of 300 s or more, else 5, which proves nothing)",
    )
    parser.add_argument(
        "--uncounted",
        action="store_true",
        help="reach the engine directly, and count no bytes (CAP-5 is then left open)",
    )
    _running(parser)


def _noise(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--flood",
        metavar="KIND,...",
        help=f"with --workload neighbours: what the second tenant floods with, in turn: "
        f"{', '.join(FLOODS)} (default: {', '.join(USUAL)})",
    )
    parser.add_argument(
        "--flood-rate",
        type=float,
        metavar="R",
        help="its calls per second in every second block (default: ten times --rate)",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        metavar="N",
        help="of a noisy and a quiet block, into which the duration is divided (default: 8)",
    )


def _arrivals(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--shape",
        default="constant",
        metavar="SHAPE",
        help="how the rate goes over the run (default: constant)",
    )
    parser.add_argument(
        "--workload",
        default="saga",
        metavar="NAME",
        help=f"what arrives: {', '.join(WORKLOADS)} (default: saga)",
    )
    parser.add_argument(
        "--mix",
        default="",
        metavar="NAME=W,...",
        help="weights (saga=4,query=1) or shares (saga=80%%,query=20%%) of the workload's "
        "operations (default: its own)",
    )
    parser.add_argument(
        "--rate", type=float, metavar="R", help="arrivals per second (default: 5; see the shapes)"
    )
    parser.add_argument(
        "--duration", type=float, metavar="S", help="seconds (default: 60; see the shapes)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the arrival plan")
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="of the generator, each of which sends its part of the plan (default: 1)",
    )
    parser.add_argument(
        "--volume",
        type=int,
        default=0,
        metavar="N",
        help="runs that each tenant's namespace holds at least before it is read; what lacks is "
        "made up (default: 0)",
    )


def _capacity(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "capacity",
        "the highest rate that keeps the service levels, as an interval, and what is full first",
        """\
        Lets a workload arrive faster and faster on one platform, then halves the gap between the
        highest rate that held and the lowest that did not. A rate holds if the upper bound of the
        starts' p95 keeps its limit, completions are not proven too low, all was sent, and the
        backlog does not grow. Either edge of the answer rests on two steps that agree. Ends when
        the budget of time is spent, and says what was not decided.

        With --workers 1,2,4 this is done with each number of worker processes.""",
    )
    parser.add_argument(
        "--workload", default="saga", metavar="NAME", help="what arrives (default: saga)"
    )
    for option, default, metavar, help_ in (
        ("--start", 2.0, "R", "the first rate, arrivals per second (default: 2)"),
        ("--max-rate", None, "R", "the highest rate that is tried (default: the target's bound)"),
        ("--budget", 600.0, "S", "seconds for the search, the set-up apart (default: 600)"),
        (
            "--resolution",
            10.0,
            "PERCENT",
            "how narrow the interval is to be (default: 10; chance must not decide over more than "
            "a fifth of it)",
        ),
    ):
        parser.add_argument(option, type=float, default=default, metavar=metavar, help=help_)
    parser.add_argument(
        "--repeats",
        type=int,
        default=3,
        metavar="N",
        help="how often a rate is tried at which nothing is decided (default: 3)",
    )
    parser.add_argument(
        "--workers",
        default="1",
        metavar="N,...",
        help="numbers of worker processes, ascending (default: 1)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the arrival plans")
    _running(parser)


def _compare(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "compare",
        "load runs of two builds: better, worse, or no evidence of change",
        """\
        Compares load trials of one build (A) with trials of another (B), a run being one
        observation: its requests are not independent. Latencies, rates and shares of each run
        go through an exact rank test, corrected for the number of figures.

        exit codes:
          0  nothing is worse, and a change for the worse by twice the tolerance is excluded
          1  something is worse, for certain and by more than the tolerance
          2  the runs cannot tell: they are too few, or differ too much among themselves.
             One run a side never says more than this; the usual figures need five""",
    )
    parser.add_argument("trials", nargs="*", type=Path, metavar="TRIAL", help="runs of build A")
    parser.add_argument(
        "--with",
        dest="others",
        nargs="+",
        type=Path,
        default=[],
        metavar="TRIAL",
        help="runs of build B",
    )
    parser.add_argument(
        "--figures",
        nargs="+",
        default=[],
        metavar="NAME",
        help="judge these only (default: p50 and p95 of starts, p95 of completions and of other "
        "operations, share and rate of what ended well)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=5.0,
        metavar="PERCENT",
        help="how much worse a latency or a rate may be (default: 5)",
    )
    parser.add_argument(
        "--share-tolerance",
        type=float,
        default=0.1,
        metavar="POINTS",
        help="how many percentage points a share may fall (default: 0.1)",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="without B: how often the gate cries wolf on these runs of one build, and how often "
        "it would see them slower",
    )
    _format(parser)
    parser.add_argument(
        "--interleave",
        type=int,
        default=0,
        metavar="N",
        help="run N loads of either side first, by turns: A of --target, B of --target-b",
    )
    running = parser.add_argument_group("with --interleave")
    running.add_argument("--target", type=Path, metavar="FILE", help="of build A")
    running.add_argument(
        "--target-b",
        type=Path,
        metavar="FILE",
        help="of build B (default: as of A)",
    )
    running.add_argument(
        "--out", type=Path, metavar="DIR", help="of all trials, new or empty (default: below out/)"
    )
    for side in ("--mutant", "--mutant-b"):
        running.add_argument(side, default="", help=argparse.SUPPRESS)
    _arrivals(running)
    parser.set_defaults(waivers=None, idle=0.0, uncounted=False)


def _chaos(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "chaos",
        "chaos: faults that provably bite, under load",
        """\
        Runs a fault schedule (a name from scenarios/chaos, or a YAML file) under a small load,
        heals, waits for recovery, and judges what happened.""",
    )
    parser.add_argument(
        "schedule",
        nargs="?",
        default="worker-link-cut",
        metavar="SCHEDULE",
        help="default: worker-link-cut",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the arrival plan")
    _running(parser)


def _replay(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "replay",
        "judge a new build against recorded histories, without a cluster",
        """\
        Replays recorded histories with a new build of the workflow code and compares every
        command it answers with what was recorded. With --worker the unmodified worker, in any
        language, is served over the wire; with --workflows Python code runs in process, where
        static rules and changed surroundings are tried as well.""",
    )
    parser.add_argument(
        "--histories",
        type=Path,
        required=True,
        metavar="DIR",
        help="JSON histories (temporal workflow show --output json), or a trial of the harness",
    )
    parser.add_argument("--worker", default="", metavar="COMMAND", help="how the worker is started")
    parser.add_argument(
        "--workflows", default="", metavar="MODULE", help="the Python module of the workflows"
    )
    for option, metavar, help_ in (
        ("--setup", "MODULE", "with --workflows: where the worker is set up, to read its sandbox"),
        (
            "--replayer",
            "MODULE:NAME",
            "with --workflows: a mapping, or a function that makes one, of further arguments of "
            "temporalio.worker.Replayer (data_converter, interceptors, workflow_runner ...)",
        ),
    ):
        parser.add_argument(option, default="", metavar=metavar, help=help_)
    for option, help_ in (
        ("--passthrough", "with --workflows: modules that the worker lets through its sandbox"),
        ("--reviewed", "with --workflows: modules and packages that somebody has looked at"),
    ):
        parser.add_argument(option, nargs="+", default=[], metavar="MODULE", help=help_)
    parser.add_argument(
        "--perturbed",
        type=int,
        default=24,
        metavar="N",
        help="with --workflows: how many histories are replayed in all surroundings, evenly drawn "
        "(default: 24; 0: all)",
    )
    parser.add_argument(
        "--cwd", type=Path, default=Path(), metavar="DIR", help="where worker or module lies"
    )
    parser.add_argument(
        "--namespace",
        default="",
        metavar="NAME",
        help="of histories that do not know theirs (default: default, and then it is not compared)",
    )
    parser.add_argument(
        "--mode",
        choices=("both", "warm", "cold"),
        default="both",
        help="with --worker: as a worker that has the run in its cache, as one that begins anew "
        "at every task, or both (default)",
    )
    parser.add_argument(
        "--at-once", type=int, default=32, metavar="N", help="histories at the same time"
    )
    parser.add_argument(
        "--ready-within",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds within which the worker polls (default: 30)",
    )
    parser.add_argument(
        "--task-within",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds for one workflow task (default: 10)",
    )
    parser.add_argument(
        "--logs", type=Path, metavar="DIR", help="keep what the worker prints in this folder"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif"),
        default="text",
        help="for people, for programs, or (with --workflows) for code review",
    )


def _recheck(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "recheck",
        "judge a recorded trial again, without a cluster",
        """\
        Verifies the journal's digests and judges it again: the same verdicts, byte for byte,
        by the same harness; new ones by a newer one.""",
    )
    parser.add_argument("trial", type=Path, metavar="TRIAL")
    parser.add_argument(
        "--salvage", action="store_true", help="judge a trial that was killed, inconclusive at best"
    )
    _format(parser)


def _report(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "report",
        "render one trial, or merge several into one page",
        """\
        Renders a self-contained HTML page. Several trials become the architect's one page:
        the worst verdict of each assertion and subject wins.""",
    )
    parser.add_argument("trials", nargs="+", type=Path, metavar="TRIAL")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the page (default: report.html in the only, or beside the last trial)",
    )
    _format(parser)


def _mutants(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "mutants",
        "prove the checks on platforms broken on purpose",
        """\
        Starts the reference platform once for each mutant, with that one defect, drives what
        the expected check needs, and prints the kill matrix. A survivor is exit 1, and so is
        a check that turns red without reason, on a mutant or on an equivalent.""",
    )
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="catalogue IDs or mutant names (default: the profile)"
    )
    parser.add_argument("--profile", default="", help="only the mutants of this profile")
    parser.add_argument(
        "--equivalents",
        action=argparse.BooleanOptionalAction,
        help="only (or none of) the platforms that do it in another legal way, on which every "
        "check must stay green (default: mutants and equivalents)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help="platforms at the same time (default: by the machine's cores)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="drive the whole profile against each mutant (hours): shows all collateral, and what "
        "takes the whole profile to stay green on",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="keep the mutants' trials there, and matrix.json as far as it is",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="judge the whole trials that --out holds already, and drive the others",
    )
    _format(parser)


def _catalogue(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "catalogue",
        "every testable statement of the decision record",
        """\
        Without IDs: all of them, and what judges each. With IDs: each explained.""",
    )
    parser.add_argument("ids", nargs="*", metavar="ID")
    _format(parser)


def _init(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "init",
        "write a commented target file",
        """\
        Writes a target file to describe your platform with. An existing file is kept.""",
    )
    parser.add_argument("file", nargs="?", type=Path, default=Path("target.yaml"), metavar="FILE")


def _doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "doctor",
        "say in seconds what works from here",
        """\
        Looks at what a run would need: programs, engine, namespaces, workers, clock; and says
        of each what to do about it. Changes nothing.""",
    )
    parser.add_argument("--target", type=Path, metavar="FILE")
    _format(parser)


def _up(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "up",
        "start the reference platform until Ctrl-C",
        """\
        Starts the reference platform, prints its addresses and the variables that a worker, or
        `locust -f scenarios/load/saga.py`, needs; ends with Ctrl-C.""",
    )
    parser.add_argument(
        "--without-worker",
        action="store_true",
        help="start everything but the worker, for one of your own",
    )
