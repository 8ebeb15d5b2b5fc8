"""Mutants of tenant isolation."""

from __future__ import annotations

from typing import Final

from harness.mutant import Mutant
from harness.platform.breakage import Breakage
from scenarios.mutants.table.broken import COUNTING, broken_exporter, broken_worker

RESULT_CACHED: Final = {
    "INV-ISO-8": "the twins have the same saga id",
    "INV-IDEM-8": "the result of an activity is not what its service answered",
}

ONE_NAMESPACE: Final = {
    "INV-ISO-6": "what is another namespace by name is the same one",
    "INV-ISO-7": "what is another namespace by name is the same one",
    "INV-ISO-8": "the twins have the same workflow id",
    "INV-ISO-9": "what is read in a namespace is read by both tenants",
    "INV-ISO-11": "the runs of both tenants are in one namespace",
}
MIXED_EVENTS: Final = {
    "INV-AUD-1": "an event of the wrong tenant is none of the right one's",
    "INV-AUD-2": "an event of the wrong tenant is none of the right one's",
    **COUNTING,
}

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        name="two-tenants-in-one-namespace",
        expected=("INV-ISO-1",),
        clause="two tenants in one namespace",
        defect="The deployment puts the second tenant into the first one's namespace.",
        breakage=Breakage(tenants={"beta": {"namespace": "alpha"}}),
        collateral=ONE_NAMESPACE,
    ),
    Mutant(
        name="tasks-in-one-namespace",
        expected=("INV-ISO-5",),
        defect="The second tenant's workers poll in the first one's namespace.",
        breakage=Breakage(tenants={"beta": {"namespace": "alpha"}}),
        collateral={"INV-ISO-1": "it is one namespace", **ONE_NAMESPACE},
    ),
    Mutant(
        name="lists-without-tenant",
        expected=("INV-ISO-10",),
        defect="The deployment lists and counts in the first tenant's namespace, whoever asks.",
        breakage=Breakage(drive=("lists-without-tenant",)),
    ),
    Mutant(
        name="tenant-not-deleted",
        expected=("INV-ISO-15",),
        defect="A tenant that leaves is taken off the books, and its namespace stays.",
        breakage=Breakage(drive=("tenant-not-deleted", "tenant-not-deprecated")),
        parameters={"tenant_removal_s": 2},
    ),
    Mutant(
        name="same-ids-in-one-namespace",
        expected=("INV-ISO-8",),
        clause="operation on another tenant's run",
        defect="The deployment starts the second tenant's workflows in the first one's namespace.",
        breakage=Breakage(tenants={"beta": {"namespace": "alpha"}}),
        cases=("twin-0",),
        collateral={
            "INV-ISO-1": "it is one namespace",
            **{id_: why for id_, why in ONE_NAMESPACE.items() if id_ != "INV-ISO-8"},
            "INV-AUD-7": "two tenants report the runs of one namespace",
            **MIXED_EVENTS,
        },
    ),
    Mutant(
        name="namespaces-nobody-declared",
        expected=("INV-ISO-1",),
        clause="namespace without a tenant",
        defect="The engine keeps a namespace of a tenant that there is not any more.",
        breakage=Breakage(drive=("namespace-left-over",)),
        parameters={"unowned_namespaces": "fail"},
        own_engine=True,
    ),
    Mutant(
        name="tenant-in-deprecated-namespace",
        expected=("INV-ISO-1",),
        clause="tenant without a namespace",
        defect="The deployment leaves a tenant in a namespace that is deprecated.",
        breakage=Breakage(drive=("tenant-deprecated",)),
    ),
    Mutant(
        name="one-queue-in-one-namespace",
        expected=("INV-ISO-2",),
        defect="The deployment puts both tenants on one task queue of one namespace.",
        breakage=Breakage(tenants={"beta": {"namespace": "alpha", "task_queue": "alpha-sagas"}}),
        cases=("own-ids",),
        collateral={
            "INV-ISO-1": "it is one namespace as well",
            **ONE_NAMESPACE,
            **MIXED_EVENTS,
            "INV-AUD-7": "two tenants report the runs of one namespace",
        },
    ),
    Mutant(
        name="events-of-the-other-tenant",
        expected=("INV-ISO-11",),
        clause="wrong tenant",
        defect="Some events name the other tenant.",
        breakage=broken_exporter("other-tenant"),
        cases=("twin-[0-3]", "own-ids"),
        collateral=MIXED_EVENTS,
    ),
    Mutant(
        name="one-source-for-all",
        expected=("INV-ISO-11",),
        clause="wrong source",
        defect="All events name the first tenant's namespace as their source.",
        breakage=broken_exporter("first-namespace-as-source"),
        cases=("twin-[0-3]", "own-ids"),
    ),
    Mutant(
        name="subject-of-another-event",
        expected=("INV-ISO-11",),
        clause="canary of another tenant",
        defect="Events carry the subject of an event of the other tenant.",
        breakage=broken_exporter("subject-before"),
        cases=("twin-[0-3]", "own-ids"),
    ),
    Mutant(
        name="token-namespace-unenforced",
        expected=("INV-ISO-6",),
        defect="The engine takes a task token in any namespace.",
        breakage=Breakage(engine={"frontend.enableTokenNamespaceEnforcement": False}),
    ),
    Mutant(
        name="commands-across-namespaces",
        expected=("INV-ISO-7",),
        defect="The engine lets a workflow start, signal and cancel in another namespace.",
        breakage=Breakage(engine={"system.enableCrossNamespaceCommands": True}),
    ),
    Mutant(
        name="signals-by-saga-id",
        expected=("INV-ISO-8",),
        clause="signal of another tenant",
        defect="A worker process keeps signals by workflow id for all tenants together.",
        breakage=broken_worker("signals-by-saga-id"),
        cases=("twin-[0-3]",),
        collateral={"INV-ISO-9": "it is kept in the worker process"},
    ),
    Mutant(
        name="resource-by-saga-id",
        expected=("INV-ISO-8",),
        clause="effect of another tenant",
        defect="A worker process keeps what a step works on by saga id for all tenants together.",
        breakage=broken_worker("resource-by-saga-id"),
        cases=("twin-[0-3]",),
        collateral={"INV-ISO-9": "it is kept in the worker process"},
    ),
    Mutant(
        name="result-by-saga-id",
        expected=("INV-ISO-8",),
        clause="result of another tenant",
        defect="A worker process keeps the services' results by saga id for all tenants together.",
        breakage=broken_worker("result-by-saga-id"),
        cases=("twin-[0-3]",),
        collateral={
            "INV-IDEM-8": "the result of an activity is not what its service answered",
            "INV-ISO-9": "it is kept in the worker process",
        },
    ),
    *(
        Mutant(
            name=name,
            expected=("INV-ISO-9",),
            clause=clause,
            defect=defect,
            breakage=broken_worker(part),
            cases=("twin-[0-3]", "own-*"),
            collateral=collateral,
        )
        for name, part, clause, defect, collateral in (
            (
                "resource-in-module-global",
                "resource-by-saga-id",
                "effect ledger",
                "A module global keeps what a step works on, for all tenants.",
                {"INV-ISO-8": "the twins have the same saga id"},
            ),
            (
                "question-in-module-global",
                "question-by-saga-id",
                "PDP requests",
                "A module global keeps what is asked of the PDP, for all tenants.",
                {"INV-PDP-6": "one tenant's question is asked for another's step"},
            ),
            (
                "one-cookie-jar",
                "one-cookie-jar",
                "headers and cookies",
                "One HTTP session with a cookie jar calls the services for all tenants.",
                {},
            ),
            (
                "result-in-cache",
                "result-by-saga-id",
                "results",
                "A cache keeps the services' results by saga id, for all tenants.",
                RESULT_CACHED,
            ),
            (
                "result-in-cache-recorded",
                "result-by-saga-id",
                "histories",
                "A cache gives the engine another tenant's result to keep.",
                RESULT_CACHED,
            ),
            (
                "signals-in-module-global",
                "signals-by-saga-id",
                "query answers",
                "A module global keeps the signals received, for all tenants.",
                {"INV-ISO-8": "the twins have the same workflow id"},
            ),
            (
                "last-call-logged",
                "last-call-logged",
                "worker logs",
                "A worker logs the call of one tenant in a line about another.",
                {},
            ),
        )
    ),
)
