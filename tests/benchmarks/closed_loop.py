"""A stock Locust file, as a peer: users that wait for their answers, at a constant throughput."""

from __future__ import annotations

from locust import FastHttpUser, constant_throughput, task


class Starts(FastHttpUser):
    """Five starts a second."""

    wait_time = constant_throughput(5)

    @task
    def ask(self) -> None:
        """One start."""
        self.client.get("/start")
