"""Defects of the deployment that the drive plays: its starter, its lists, how it ends tenants."""

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
    TIMEOUTS_LONGER = "timeouts-longer"
    BEATS_THOUGH_STUCK = "beats-though-stuck"
