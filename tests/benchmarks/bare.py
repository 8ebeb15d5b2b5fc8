"""`python -m tests.benchmarks.bare ADDRESS RATE DURATION_S`: starts by a bare loop, as a peer.

The same client, the same request and evenly planned arrivals, and nothing else: no Locust, no
record, no retries. Prints CPU seconds of the loop, starts, and percentiles of the latency in ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import uvloop
from temporalio.client import Client

from harness.load.requests import start_request
from harness.load.settings import Tenant
from harness.statistics import percentile

TENANT = Tenant(tenant="alpha", namespace="default", task_queue="q")


async def main(address: str, rate_per_s: float, duration_s: float) -> None:
    client = await Client.connect(address)
    latencies_ns: list[int] = []

    async def one(number: int, due_ns: int) -> None:
        request = start_request(TENANT, f"bare-{number}", {"number": number})
        await client.workflow_service.start_workflow_execution(request, retry=False)
        latencies_ns.append(time.monotonic_ns() - due_ns)

    before = os.times()
    begin_ns = time.monotonic_ns() + 100_000_000
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate_per_s * duration_s)):
            due_ns = begin_ns + round(number * 1e9 / rate_per_s)
            await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            group.create_task(one(number, due_ns))
    after = os.times()
    latencies_ns.sort()
    print(
        json.dumps(
            {
                "starts": len(latencies_ns),
                "cpu_s": after.user + after.system - before.user - before.system,
                "p50_ms": percentile(latencies_ns, 0.5) / 1e6,
                "p99_ms": percentile(latencies_ns, 0.99) / 1e6,
            }
        ),
        flush=True,
    )
    os._exit(0)  # the SDK may crash at interpreter exit


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
