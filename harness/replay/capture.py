"""Seeing every command that workflow code issues while it is replayed, with all its attributes."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

Command = tuple[str, Message]


class CapturingRunner(WorkflowRunner):
    """Another runner, whose instances' commands are kept in `commands` by run id."""

    def __init__(self, inner: WorkflowRunner) -> None:
        self.commands: dict[str, list[Command]] = {}
        self._inner = inner

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        taken = self.commands[det.info.run_id] = []
        return _CapturingInstance(self._inner.create_instance(det), taken)


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
