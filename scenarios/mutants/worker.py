"""`python -m scenarios.mutants.worker NAME`: the reference worker with one part replaced."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

from temporalio.worker import UnsandboxedWorkflowRunner

from scenarios.mutants import (
    attempts,
    emitting,
    equivalents,
    links,
    outages,
    pdp,
    questions,
    shared,
    versions,
)
from scenarios.mutants.pdp import ALLOWED, asking
from scenarios.mutants.workflows import (
    answers,
    compensation,
    heavy,
    process_state,
    replay_told,
    retries,
    signals,
    sleepers,
    step_redone,
    step_slept_before,
    tenants,
    under_load,
    validation,
)
from scenarios.reference.pdp import Ruling
from scenarios.reference.worker import Parts, main

PARTS: Final[Mapping[str, Parts]] = {
    # isolation
    "signals-by-saga-id": Parts(workflow=tenants.SharedSignals, runner=UnsandboxedWorkflowRunner),
    "resource-by-saga-id": Parts(call_service=attempts.resource_of_first_tenant),
    "result-by-saga-id": Parts(call_service=attempts.result_of_first_tenant),
    "one-cookie-jar": Parts(call_service=shared.one_cookie_jar),
    "question-by-saga-id": Parts(authorize=shared.question_of_first_tenant),
    "last-call-logged": Parts(perform=shared.last_call_logged),
    # authorization
    "revoke-unasked": Parts(authorize=pdp.skipping("ams.revoke")),
    "effect-before-question": Parts(perform=attempts.effect_first),
    "allow-carried-over": Parts(authorize=pdp.carrying_over()),
    "any-status": Parts(authorize=asking(see=pdp.any_status)),
    "any-media-type": Parts(authorize=asking(see=pdp.any_media_type)),
    "any-age": Parts(authorize=asking(see=pdp.any_age)),
    "lenient-json": Parts(authorize=asking(see=pdp.lenient_json)),
    "first-json-value": Parts(authorize=asking(see=pdp.first_json_value)),
    "truthy-decision": Parts(authorize=asking(see=pdp.truthy_decision)),
    "allow-unless-false": Parts(authorize=asking(see=pdp.not_denied)),
    "any-context": Parts(authorize=asking(see=pdp.any_context)),
    "redirects-followed": Parts(authorize=asking(exchange=pdp.following_redirects)),
    "each-read-timed": Parts(authorize=asking(exchange=pdp.timing_each_read)),
    "deadline-doubled": Parts(authorize=asking(exchange=pdp.waiting_twice)),
    "broken-body-taken": Parts(authorize=asking(exchange=pdp.taking_what_came)),
    "decision-searched": Parts(authorize=asking(exchange=pdp.until_an_allow)),
    "open-without-answer": Parts(authorize=asking(without_answer=ALLOWED)),
    "compensation-open-without-answer": Parts(authorize=pdp.open_back()),
    "unknown-member-refused": Parts(authorize=asking(see=pdp.no_unknown_members)),
    "chunks-refused": Parts(authorize=asking(see=pdp.no_chunks)),
    "charset-refused": Parts(authorize=asking(see=pdp.no_charset)),
    "deny-retried": Parts(authorize=pdp.ruling(Ruling.DENIED, Ruling.UNAVAILABLE)),
    "deny-ignored": Parts(authorize=pdp.ruling(Ruling.DENIED, Ruling.ALLOWED)),
    "never-asks": Parts(authorize=questions.never_asked),
    "asks-in-another-dialect": Parts(authorize=questions.in_another_dialect),
    "subject-of-first-tenant": Parts(authorize=questions.for_first_tenant()),
    "forward-action-for-compensation": Parts(authorize=questions.forward_action),
    "wildcard-resource": Parts(authorize=questions.wildcard),
    "tenant-made-up": Parts(workflow=tenants.MadeUp),
    "asks-until-answered": Parts(authorize=outages.until_answered),
    "waits-for-the-pdp": Parts(authorize=outages.waiting),
    "effect-again-after-outage": Parts(perform=outages.twice_when_back),
    "rollback-given-up": Parts(authorize=outages.given_up_back),
    "decision-cached": Parts(authorize=outages.cached()),
    "stale-when-away": Parts(authorize=outages.stale_when_away()),
    # idempotency
    "random-key": Parts(idempotency_key=attempts.random_key),
    "retry-taken-for-done": Parts(perform=attempts.second_call_skipped),
    "attempt-in-key": Parts(idempotency_key=attempts.key_of_attempt),
    "run-in-key": Parts(idempotency_key=attempts.key_of_run),
    "one-key-for-all-steps": Parts(idempotency_key=attempts.key_of_saga),
    "workflow-in-key": Parts(idempotency_key=attempts.key_of_workflow),
    "step-redone": Parts(workflow=step_redone.StepRedone, idempotency_key=attempts.key_of_run),
    "service-not-called": Parts(call_service=attempts.not_called),
    "service-called-twice": Parts(call_service=attempts.called_twice),
    "each-delivery-counts": Parts(workflow=signals.EachDeliveryCounts),
    "first-signal-left-out": Parts(workflow=signals.FirstSignalLeftOut),
    "undone-twice": Parts(workflow=signals.UndoneTwice),
    "attempt-in-result": Parts(perform=attempts.result_of_attempt),
    "last-left-out": Parts(workflow=answers.LastLeftOut),
    # determinism
    "taken-over": Parts(workflow=process_state.Replaying),
    "hash-seed": Parts(workflow=process_state.Hashing),
    "replay-told": Parts(workflow=replay_told.ReplayTold),
    # durability
    "forward-order": Parts(workflow=compensation.ForwardOrder),
    "one-forgotten": Parts(workflow=compensation.OneForgotten),
    "doubtful-forgotten": Parts(workflow=compensation.DoubtfulForgotten),
    "earlier-attempt-forgotten": Parts(workflow=compensation.EarlierAttemptForgotten),
    "doubtful-forgotten-once-continued": Parts(
        workflow=compensation.DoubtfulForgottenOnceContinued
    ),
    "completed-undone": Parts(workflow=compensation.CompletedUndone),
    "half-refunded": Parts(call_service=attempts.half_given_back),
    "cancel-not-undone": Parts(workflow=compensation.CancelNotUndone),
    "cancel-is-a-failure": Parts(workflow=compensation.CancelIsAFailure),
    "one-step-more": Parts(perform=attempts.one_step_more),
    "step-left-out": Parts(workflow=compensation.StepLeftOut),
    "constant-interval": Parts(workflow=retries.ConstantInterval),
    "long-interval": Parts(workflow=retries.LongInterval),
    "one-attempt-more": Parts(workflow=retries.OneMore),
    "one-attempt-less": Parts(workflow=retries.OneLess),
    "timers-drift": Parts(workflow=sleepers.Drifts),
    "timers-wrap": Parts(workflow=sleepers.Wraps),
    "timers-lost-in-the-restart": Parts(workflow=sleepers.LosesTimers),
    "signals-not-replayed": Parts(workflow=signals.NotReplayed),
    "signals-lost-in-the-restart": Parts(workflow=signals.NamesWhatItSawCome),
    "nothing-is-final": Parts(workflow=retries.NothingIsFinal, perform=attempts.nothing_final),
    "retries-without-bound": Parts(workflow=retries.WithoutBound),
    # growth
    "notes-at-every-step": Parts(workflow=heavy.NotesAtEveryStep),
    "record-kept": Parts(perform=attempts.keeping_record(100 << 10)),
    "large-record-kept": Parts(perform=attempts.keeping_record(600 << 10)),
    "children-all-at-once": Parts(workflow=heavy.ChildrenAllAtOnce),
    "child-for-each-step": Parts(workflow=heavy.ChildForEachStep),
    # validation
    "misfit-taken": Parts(workflow=validation.TakesAnything),
    "misfit-fails-the-task": Parts(workflow=validation.FailsTheTask),
    "misfit-refused-again": Parts(workflow=validation.RefusesForNow),
    "works-until-the-misfit": Parts(workflow=validation.WorksUntilTheMisfit),
    "unknown-members-refused": Parts(workflow=validation.KnowsAllMembers),
    # audit
    "emits-itself": Parts(workflow=emitting.EmitsItself, runner=UnsandboxedWorkflowRunner),
    "reports-each-attempt": Parts(perform=emitting.reporting_each_attempt),
    # versions
    "versions-ignored": Parts(deployment=versions.none),
    "moves-to-the-current": Parts(deployment=versions.auto_upgrade),
    "other-commands": Parts(workflow=step_slept_before.SleptBefore),
    "sdk-of-another-name": Parts(),  # and PREPARED
    # load and chaos
    "first-task-slow": Parts(workflow=under_load.SlowFirstTask, runner=UnsandboxedWorkflowRunner),
    "one-at-a-time": Parts(perform=attempts.one_at_a_time),
    "one-at-a-time-anywhere": Parts(perform=attempts.one_at_a_time_anywhere),
    "one-in-five-lost": Parts(workflow=under_load.LosesSome),
    "overwhelmed": Parts(workflow=under_load.Overwhelmed, runner=UnsandboxedWorkflowRunner),
    "hands-full": Parts(
        workflow=under_load.Counting,
        perform=attempts.with_hands_full,
        runner=UnsandboxedWorkflowRunner,
    ),  # and PREPARED
    "dies-with-the-link": Parts(activities=links.dying_with_the_link),
    "spins": Parts(perform=attempts.spinning),
    "asks-without-pause": Parts(activities=links.asking_without_pause),
    "beats-its-record": Parts(perform=links.beating_its_record),
    "noop-slow": Parts(noop=attempts.lingering()),
    "noop-slow-tail": Parts(noop=attempts.lingering(one_in=10)),
    # equivalents
    "other-habits": Parts(
        authorize=equivalents.other_habits_authorize,
        call_service=equivalents.other_habits_call_service,
    ),
    "slower-in-time": Parts(
        authorize=equivalents.slow_authorize, call_service=equivalents.slow_call_service
    ),
    "timer-before-steps": Parts(workflow=step_slept_before.SleptBefore),
}

# what has to be done before the process connects
PREPARED: Final[Mapping[str, Callable[[], None]]] = {
    "sdk-of-another-name": versions.name_another_sdk,
    "hands-full": lambda: os.environ.update(REFERENCE_SLOTS="2"),
}

if __name__ == "__main__":
    PREPARED.get(sys.argv[1], lambda: None)()
    main(PARTS[sys.argv[1]])
