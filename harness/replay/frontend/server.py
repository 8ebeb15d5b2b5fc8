"""The frontend as a worker sees it: every method of the service. All that knows gRPC is here."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio
import temporalio.api.workflowservice.v1 as service
from temporalio.api.enums.v1 import NamespaceState, TaskQueueKind
from temporalio.api.taskqueue.v1 import PollerInfo

from harness.replay.frontend.matching import Matching, Offer
from harness.replay.frontend.served import field

VERSION: Final = "1.32.0"  # of the server that is played
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)
_NEXT_TASK: Final = 1  # the field number of `workflow_task` in the answer to a completed task
_WORKFLOW, _ACTIVITY = 1, 2  # kinds of task queue, as their type is numbered
# what SDKs call by themselves; anything else is a call of the worker's own client
_HOUSEKEEPING: Final = frozenset(
    {
        "GetSystemInfo",
        "GetClusterInfo",
        "DescribeNamespace",
        "DescribeTaskQueue",
        "PollWorkflowTaskQueue",
        "PollActivityTaskQueue",
        "PollNexusTaskQueue",
        "RespondWorkflowTaskCompleted",
        "RespondWorkflowTaskFailed",
        "RespondQueryTaskCompleted",
        "GetWorkflowExecutionHistory",
        "ResetStickyTaskQueue",
        "RecordWorkerHeartbeat",
        "ShutdownWorker",
        "Check",
    }
)
Handler = Callable[[bytes, Any], Awaitable[bytes]]


class Frontend(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Listens on a port of this machine. `calls` counts what the worker's own clients call."""

    def __init__(self, matching: Matching) -> None:
        self.calls: Counter[str] = Counter()
        self._matching = matching
        self._handlers: dict[str, Handler] = {
            "GetSystemInfo": self._system,
            "DescribeNamespace": self._namespace,
            "DescribeTaskQueue": self._describe_queue,
            "PollWorkflowTaskQueue": self._poll,
            "PollActivityTaskQueue": self._poll_activities,
            "PollNexusTaskQueue": self._wait,
            "RespondWorkflowTaskCompleted": self._completed,
            "RespondWorkflowTaskFailed": self._failed,
            "RespondQueryTaskCompleted": self._query_completed,
            "GetWorkflowExecutionHistory": self._history,
            "StartWorkflowExecution": self._started,
            "SignalWithStartWorkflowExecution": self._started,
            "Check": self._serving,
        }
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))

    async def open(self) -> str:
        """Listen on a free port; returns the address."""
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def close(self) -> None:
        """End what is in progress."""
        await self._server.stop(grace=None)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Every method of every service; of one that is not played the answer is empty."""
        method = details.method.rpartition("/")[2]
        if method not in _HOUSEKEEPING:
            self.calls[method] += 1
        handler = self._handlers.get(method, _nothing)
        return grpc.unary_unary_rpc_method_handler(handler)

    async def _system(self, _: bytes, __: Any) -> bytes:
        answer = service.GetSystemInfoResponse(server_version=VERSION)
        for capability in answer.capabilities.DESCRIPTOR.fields:
            setattr(answer.capabilities, capability.name, True)
        return answer.SerializeToString()

    async def _namespace(self, raw: bytes, _: Any) -> bytes:
        asked = service.DescribeNamespaceRequest.FromString(raw)
        answer = service.DescribeNamespaceResponse()
        answer.namespace_info.name = asked.namespace
        answer.namespace_info.state = NamespaceState.NAMESPACE_STATE_REGISTERED
        return answer.SerializeToString()

    async def _describe_queue(self, raw: bytes, _: Any) -> bytes:
        asked = service.DescribeTaskQueueRequest.FromString(raw)
        kind = asked.task_queue_type or _WORKFLOW
        who = self._matching.identities[asked.namespace, asked.task_queue.name, kind]
        pollers = [PollerInfo(identity=each) for each in sorted(who)]
        return service.DescribeTaskQueueResponse(pollers=pollers).SerializeToString()

    async def _poll(self, raw: bytes, _: Any) -> bytes:
        asked = service.PollWorkflowTaskQueueRequest.FromString(raw)
        queue = (asked.namespace, asked.task_queue.name)
        if asked.task_queue.kind != TaskQueueKind.TASK_QUEUE_KIND_STICKY:
            self._matching.polls(queue)
            self._matching.identities[*queue, _WORKFLOW].add(asked.identity)
        return await self._matching.poll(queue)

    async def _poll_activities(self, raw: bytes, _: Any) -> bytes:
        """No activity is ever dispatched."""
        asked = service.PollActivityTaskQueueRequest.FromString(raw)
        self._matching.identities[asked.namespace, asked.task_queue.name, _ACTIVITY].add(
            asked.identity
        )
        return await self._matching.nothing()

    async def _wait(self, _: bytes, __: Any) -> bytes:
        return await self._matching.nothing()

    async def _completed(self, raw: bytes, _: Any) -> bytes:
        found = self._answer(service.RespondWorkflowTaskCompletedRequest, raw)
        if found is None:
            return b""
        offer, answer = found
        if not answer.return_new_workflow_task:
            self._matching.answered(offer, answer)
            return b""
        task = await self._matching.next_of(offer, answer)
        return field(_NEXT_TASK, task) if task else b""

    async def _failed(self, raw: bytes, _: Any) -> bytes:
        self._answered(service.RespondWorkflowTaskFailedRequest, raw)
        return b""

    async def _query_completed(self, raw: bytes, _: Any) -> bytes:
        self._answered(service.RespondQueryTaskCompletedRequest, raw)
        return b""

    def _answered(self, kind: Any, raw: bytes) -> None:
        found = self._answer(kind, raw)
        if found is not None:
            self._matching.answered(*found)

    def _answer(self, kind: Any, raw: bytes) -> tuple[Offer, Any] | None:
        """What was offered and its answer, as the true run's: ids are mapped back everywhere."""
        answer = kind.FromString(raw)
        offer = self._matching.offer_of(answer.task_token)
        if offer is None:
            return None
        mapped = _mapped_back(raw, offer)
        return offer, answer if mapped is raw else kind.FromString(mapped)

    async def _history(self, raw: bytes, context: Any) -> bytes:
        asked = service.GetWorkflowExecutionHistoryRequest.FromString(raw)
        found = self._matching.history_of(asked.execution.run_id)
        if found is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such run is being replayed")
        return found or b""

    async def _started(self, _: bytes, __: Any) -> bytes:
        answer = service.StartWorkflowExecutionResponse(run_id=str(uuid.uuid4()), started=True)
        return answer.SerializeToString()

    async def _serving(self, _: bytes, __: Any) -> bytes:
        return b"\x08\x01"  # HealthCheckResponse: SERVING


async def _nothing(_: bytes, __: Any) -> bytes:
    return b""


def _mapped_back(raw: bytes, offer: Offer) -> bytes:
    """An answer under the true run id; both ids are of one length, so that the message is sound."""
    served, true = offer.run_id.encode(), offer.true_run_id.encode()
    if served == true or len(served) != len(true) or served not in raw:
        return raw
    return raw.replace(served, true)
