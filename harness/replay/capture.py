"""Seeing every command that workflow code issues while it is replayed, with all its attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

Command = tuple[str, Message]


@dataclass(slots=True)
class Captured:
    """What one run issued, and what the replayer told it of its task queue and namespace."""

    task_queue: str
    namespace: str
    commands: list[Command] = field(default_factory=list)


class CapturingRunner(WorkflowRunner):
    """Another runner, whose instances' commands are kept in `runs` by run id."""

    def __init__(self, inner: WorkflowRunner) -> None:
        self.runs: dict[str, Captured] = {}
        self._inner = inner

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        captured = Captured(det.info.task_queue, det.info.namespace)
        self.runs[det.info.run_id] = captured  # one that was evicted begins anew
        return _CapturingInstance(self._inner.create_instance(det), captured.commands)


class _CapturingInstance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, taken: list[Command]) -> None:
        self._inner = inner
        self._taken = taken

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        for command in completion.successful.commands:
            kind = str(command.WhichOneof("variant"))
            copy = type(getattr(command, kind))()
            copy.CopyFrom(getattr(command, kind))
            self._taken.append((kind, copy))
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Any:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
