"""Defects of the deployment that the drive plays: starter, lists, rollouts, how tenants end."""

from __future__ import annotations

import enum


class Defect(enum.StrEnum):
    """Each is one thing that a platform's own code beside the worker might do wrong."""

    FRESH_ID = "fresh-workflow-id-on-conflict"
    NAMESPACE_LEFT_OVER = "namespace-left-over"
    TENANT_DEPRECATED = "tenant-deprecated"
    LISTS_WITHOUT_TENANT = "lists-without-tenant"
    TENANT_NOT_DELETED = "tenant-not-deleted"
    TENANT_NOT_DEPRECATED = "tenant-not-deprecated"
    TERMINATE_CANCELS = "terminate-cancels"
    TERMINATED_STARTED_AGAIN = "terminated-started-again"
    ACKNOWLEDGED_UNSENT = "acknowledged-unsent"
    SENT_AGAIN = "sent-again"
    TIMEOUTS_LONGER = "timeouts-longer"
    BEATS_THOUGH_STUCK = "beats-though-stuck"
    NOT_PROMOTED = "next-version-not-promoted"
    RAMP_IGNORED = "ramp-without-its-share"
    NOT_ROLLED_BACK = "rollback-without-effect"
    STRANDED = "rollback-ends-the-withdrawn-worker"
    TERMINATED = "rollback-terminates-runs"
    STILL_RAMPING = "old-version-goes-on-ramping"
    REMOVED_EARLY = "old-version-removed-undrained"
    SHORT_RETENTION = "retention-too-short"
    HEALTH_ELSEWHERE = "health-asked-elsewhere"
    ONE_WORKER = "one-worker-for-all"  # one process serves the victim and who floods
    QUEUE_UNLIMITED = "queue-limit-unset"
