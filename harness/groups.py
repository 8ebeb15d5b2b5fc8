"""Groups: which worker process serves a case, so that what disturbs one disturbs no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A worker process of its own, on task queues of its own.

    `service_deadline_ms` and `pdp_deadline_ms` are what its worker is told as the total time of a
    service call and of a question to the PDP. `pdp`
    is an address of the PDP of their own: one that goes away, by its name, or a URL. A `tapped`
    one reaches the engine through the tap, where the target allows RPC faults. Groups of one
    `queue` share their task queues. Those of a `rollout` have a Worker Deployment of their own and
    serve the first tenant alone; one with the `next_build` is the version that comes after.
    The worker of a `killed` one dies once, when all that its cases want held is held, at the latest
    `gather_s` after the first, and is started again. The worker of one that `skips_time` is started
    when an act asks for it, on a server of its own whose clock jumps to the next timer. One that is
    `only` for a tenant serves the tenant of that number, counted from 1 (0: all).
    """

    name: str
    service_deadline_ms: int = 2000
    pdp_deadline_ms: int = 1000
    pdp: str = ""
    tapped: bool = False
    queue: str = ""
    rollout: bool = False
    next_build: bool = False
    killed: bool = False
    gather_s: float = 4.0
    skips_time: bool = False
    only: int = 0


UNRESOLVED: Final = "http://pdp.invalid"  # a name that by its standard nobody has (RFC 2606)
CALM: Final = "calm"
CRASH: Final = "crash"
BOUNDARY: Final = "boundary"
WIRE: Final = "wire"
OLD_VERSION: Final = "rollout-old"
NEW_VERSION: Final = "rollout-new"
SLEEPING: Final = "sleeping"
VICTIM: Final = "victim"
FLOODING: Final = "flooding"

GROUPS: Final[dict[str, Group]] = {
    group.name: group
    for group in (
        Group(name=CALM),
        # its worker is killed while services hold their answers, which must not run out before
        Group(name=CRASH, service_deadline_ms=8000, tapped=True, killed=True),
        # the same, for sagas that are compared with others which nothing disturbed
        Group(
            name=BOUNDARY,
            service_deadline_ms=12_000,
            pdp_deadline_ms=12_000,
            tapped=True,
            killed=True,
            gather_s=7.0,
        ),
        # its worker loses single calls, and lives; it waits for services that are slower than the
        # activity's time, so that an attempt goes on beside the next
        # their workers know the PDP by an address that goes away before any request
        *(Group(name=f"pdp-{pdp}", pdp=pdp) for pdp in ("refused", "silent")),
        Group(name="pdp-unresolved", pdp=UNRESOLVED),
        Group(name=WIRE, service_deadline_ms=8000, tapped=True),
        Group(name=OLD_VERSION, queue="rollout", rollout=True),
        Group(name=NEW_VERSION, queue="rollout", rollout=True, next_build=True),
        Group(name=SLEEPING, skips_time=True),
        # tenants against each other: a worker process for each, as tenants who are kept apart have
        Group(name=VICTIM, only=1),
        Group(name=FLOODING, only=2),
    )
}
KILLED: Final = tuple(name for name, group in GROUPS.items() if group.killed)


def deployment_of(deployment: str, group: str) -> str:
    """The name of the Worker Deployment of a group's worker, given the platform's own."""
    return f"{deployment}-rollout" if GROUPS[group].rollout else deployment
