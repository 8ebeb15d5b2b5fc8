"""`python -m tests.benchmarks.stub OUT STALL_AFTER_S STALL_S`: a server that knows the truth.

It answers starts at once, over gRPC as Temporal does and over HTTP for who speaks that, but for one
stall some time after the first of them: what comes then is answered at its end. Prints both ports.
On SIGTERM it writes to OUT when each start was answered (CLOCK_MONOTONIC, ns), by workflow id.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import temporalio.api.workflowservice.v1 as service
import uvloop
from aiohttp import web
from temporalio.api.enums.v1 import NamespaceState


class Stub(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Both servers; `answered_ns` grows with each start."""

    def __init__(self, stall_after_s: float, stall_s: float) -> None:
        self.answered_ns: dict[str, int] = {}
        self._stall_after_s = stall_after_s
        self._stall_s = stall_s
        self._begin_ns = 0

    def service(self, call: Any) -> Any:
        """The handler of a method, by its name."""
        answer = {
            "StartWorkflowExecution": self._start,
            "DescribeNamespace": self._namespace,
            "GetSystemInfo": self._system,
        }.get(call.method.rpartition("/")[2])
        return None if answer is None else grpc.unary_unary_rpc_method_handler(answer)

    async def _start(self, raw: bytes, _: Any) -> bytes:
        request = service.StartWorkflowExecutionRequest.FromString(raw)
        await self._answer(request.workflow_id)
        answer = service.StartWorkflowExecutionResponse(run_id=request.request_id, started=True)
        return answer.SerializeToString()

    async def http(self, request: web.Request) -> web.Response:
        """A start by HTTP."""
        await self._answer(request.path)
        return web.Response(text="started")

    async def _answer(self, name: str) -> None:
        now_ns = time.monotonic_ns()
        self._begin_ns = self._begin_ns or now_ns
        stalled_s = (now_ns - self._begin_ns) / 1e9 - self._stall_after_s
        if 0 <= stalled_s < self._stall_s:
            await asyncio.sleep(self._stall_s - stalled_s)
        self.answered_ns[name] = time.monotonic_ns()

    async def _namespace(self, _: bytes, __: Any) -> bytes:
        answer = service.DescribeNamespaceResponse()
        answer.namespace_info.state = NamespaceState.NAMESPACE_STATE_REGISTERED
        return answer.SerializeToString()

    async def _system(self, _: bytes, __: Any) -> bytes:
        return service.GetSystemInfoResponse(server_version="1.32.0").SerializeToString()


async def main(stall_after_s: float, stall_s: float) -> dict[str, int]:
    """Serve until SIGTERM."""
    stub = Stub(stall_after_s, stall_s)
    server = grpc.aio.server(handlers=[stub])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    app = web.Application()
    app.router.add_get("/start", stub.http)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    http_port = runner.addresses[0][1]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"grpc": port, "http": http_port}), flush=True)
    await stop.wait()
    await server.stop(0)
    await runner.cleanup()
    return stub.answered_ns


if __name__ == "__main__":
    answered = uvloop.run(main(float(sys.argv[2]), float(sys.argv[3])))
    Path(sys.argv[1]).write_text(json.dumps(answered))
