"""INV-ISO-1: one namespace per tenant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.checks.check import Evidence, Finding
from harness.checks.histories.clauses import Broken, conclude
from harness.journal.records import Ending, Operation

SHARED: Final = "two tenants in one namespace"
WITHOUT: Final = "tenant without a namespace"
UNOWNED: Final = "namespace without a tenant"
CLAUSES: Final = (SHARED, WITHOUT, UNOWNED)
SYSTEM: Final = frozenset({"temporal-system"})
ENGINES_OWN: Final = frozenset({"default"})  # the CLI's server makes it; nobody declared it
REGISTERED: Final = "NAMESPACE_STATE_REGISTERED"


def one_namespace_per_tenant(evidence: Evidence) -> Finding:
    """ADR, Invariants: "Separate Temporal namespaces and task queues per tenant".

    The server's list of namespaces, against the declared tenants: each has one, registered, and
    shares it with nobody unless `shared_namespaces` names it. Namespaces that nobody declared are
    figures; with `unowned_namespaces` at fail they fail. Those of the engine itself and those that
    this trial made are nobody's.
    """
    listings = [op for op in evidence.of(Operation) if op.name == "list-namespaces"]
    answered = [op for op in listings if op.ending is Ending.OK]
    if not answered:
        why = f": {listings[0].status} {listings[0].message}" if listings else ""
        return conclude(CLAUSES, [], [f"the engine's namespaces were not listed{why}"], "", {})
    op = answered[-1]
    tenants: dict[str, str] = op.args["tenants"]
    there: dict[str, str] = {each["name"]: each["state"] for each in op.result["namespaces"]}
    unowned = _unowned(there, tenants, op.args["trial"])
    broken = [
        *_shared(tenants, evidence.parameters.get("shared_namespaces", [])),
        *_without(tenants, there),
    ]
    if evidence.parameters.get("unowned_namespaces", "tolerated") == "fail":
        broken += [Broken(UNOWNED, f"{name} is no declared tenant's") for name in unowned]
    lacks = [] if len(tenants) > 1 else ["fewer than two tenants are declared"]
    return conclude(
        CLAUSES,
        broken,
        lacks,
        f"each of {len(tenants)} tenants has a namespace of its own among {len(there)}",
        {
            "namespaces": len(there),
            "tenants": len(tenants),
            "without_a_tenant": len(unowned),
            "without_a_tenant_named": unowned[:20],
        },
    )


def _shared(tenants: Mapping[str, str], declared: list[str]) -> Iterator[Broken]:
    by_namespace: defaultdict[str, list[str]] = defaultdict(list)
    for tenant, namespace in tenants.items():
        by_namespace[namespace].append(tenant)
    for namespace, names in by_namespace.items():
        if len(names) > 1 and namespace not in declared:
            yield Broken(SHARED, f"{', '.join(sorted(names))} are all in {namespace}")


def _without(tenants: Mapping[str, str], there: Mapping[str, Any]) -> Iterator[Broken]:
    for tenant, namespace in tenants.items():
        state = there.get(namespace, "not there")
        if state != REGISTERED:
            yield Broken(WITHOUT, f"{namespace} of {tenant} is {state}")


def _unowned(there: Mapping[str, str], tenants: Mapping[str, str], trial: str) -> list[str]:
    known = {*SYSTEM, *ENGINES_OWN, *tenants.values()}
    return sorted(name for name in there if name not in known and not name.startswith(trial))
