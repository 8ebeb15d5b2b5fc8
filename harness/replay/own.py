"""What a command that leaves an attribute unset stands for: the run's own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The run's own task queue, type and namespace, which an unset attribute stands for.

    A replayer runs the code on a queue and in a namespace of its own: a command that names those
    (`replayed_…`) means the run's own. An empty namespace is not known, and not compared.
    """

    task_queue: str
    workflow_type: str
    namespace: str
    replayed_task_queue: str = ""
    replayed_namespace: str = ""

    def queue_of(self, named: str) -> str:
        """The task queue that a command means."""
        return self.task_queue if named in ("", self.replayed_task_queue) else named

    def namespace_of(self, named: str) -> str:
        """The namespace that a command means."""
        return self.namespace if named in ("", self.replayed_namespace) else named
