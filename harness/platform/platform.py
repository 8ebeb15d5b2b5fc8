"""The platform of a trial: what the harness starts of it, and where everything is."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.contract.capabilities import unknown_to
from harness.contract.program import CONTRACT_VERSION
from harness.counting.messages import STRETCH
from harness.counting.messages import Addresses as CountingAddresses
from harness.doubles.messages import Addresses
from harness.errors import UnavailableError
from harness.groups import GROUPS, deployment_of
from harness.journal.records import SAME_CODE, Log, Part, Process, Subject, now
from harness.journal.write import SegmentWriter
from harness.platform.breakage import Breakage
from harness.platform.child import Child, Children
from harness.platform.engine import start_engine, start_time_skipping
from harness.tap.messages import Addresses as TapAddresses
from harness.target.model import Target, environment

DOUBLES_READY_S = 15.0
TAP_READY_S = 30.0
COUNTING_READY_S = 15.0
STOPS_WITHIN_S = 10.0
STARTER = "starter"  # the tap's link for the drive's own calls


class Platform:
    """Starts, kills and restarts the parts of a platform, and records what it does.

    `segment` is the supervisor's, `engine_at` an embedded engine that runs already. Everything that
    was started ends with `children`.
    """

    def __init__(
        self,
        target: Target,
        breakage: Breakage,
        children: Children,
        segment: SegmentWriter,
        trial: Path,
        folder: Path,
        progress: Callable[[str], None],
        *,
        ours: bool,
        trial_id: str,
        engine_at: str = "",
    ) -> None:
        self.target = target
        self.breakage = breakage
        self.folder = folder
        self.trial = trial
        self.progress = progress
        self.ours = ours
        self.trial_id = trial_id
        self.address = engine_at or target.engine.address or ""
        self.workers: dict[str, Child] = {}
        self.lacks: list[str] = list(target.worker.lacks)
        self.doubles: Addresses | None = None
        self.engine: Child | None = None
        self.exporter: Child | None = None
        self.worker_address = ""  # where workers find the engine, if not at its own address
        self.exporter_address = ""  # and where the exporter does
        self.skipping_address = ""
        self.tap: TapAddresses | None = None
        self.versioned = False  # whether workers are told a Worker Deployment version
        self.counting: CountingAddresses | None = None
        self._counting: Child | None = None
        self._children = children
        self._segment = segment
        self._logs: list[tuple[Child, str]] = []
        self._exporters = 0

    def record(self, record: Any) -> None:
        """Write to the supervisor's segment at once."""
        self._segment.write(record)
        self._segment.flush()

    def happened(self, child: Child, event: str, group: str = "", detail: str = "") -> None:
        """Record something that happened to a process."""
        self.record(
            Process(
                **now(), role=child.role, group=group, pid=child.pid, event=event, detail=detail
            )
        )

    async def start_engine(self, database: Path | None = None) -> None:
        """Start the embedded engine, unless there is an engine already."""
        if self.address:
            return
        self.engine, self.address = await start_engine(
            self._children, self.breakage.engine, database
        )
        self.happened(self.engine, "started")

    async def start_sleeping(self, group: str) -> str:
        """Start a server that skips time, with a worker; returns its address.

        Raises `UnavailableError` where there is none, or the workers are not ours to start.
        """
        if self.target.worker.external:
            raise UnavailableError("worker: is external, so none can be started on another server")
        server, self.skipping_address = await start_time_skipping(self._children)
        self.happened(server, "started")
        await self.start_worker(group)
        return self.skipping_address

    async def start_doubles(self) -> Addresses:
        """Start the instruments: PDP, services, audit sink, all in one process."""
        command = [
            sys.executable,
            "-m",
            "harness.doubles",
            "--journal",
            str(self.trial / "journal"),
            "--trial",
            self.trial_id,
        ]
        for defect in self.breakage.doubles:
            command += ["--defect", defect]
        command += self._where_doubles_listen()
        child = await self._children.start("doubles", command)
        told = await child.ready(DOUBLES_READY_S, "see what it said")
        self.happened(child, "ready")
        self.doubles = msgspec.json.decode(told, type=Addresses)
        for subject in (Subject.PDP, Subject.SERVICES):
            self.record(Part(**now(), subject=subject, ours=True, name="harness double"))
        return self.doubles

    def _where_doubles_listen(self) -> list[str]:
        given = self.target.doubles
        options = ["--bind", given.bind, "--known-as", given.advertised_host]
        for name, port in (
            ("pdp", given.ports.pdp),
            ("services", given.ports.services),
            ("audit", given.ports.audit),
        ):
            options += [f"--{name}-port", str(port)] if port else []
        return options

    async def start_tap(self, groups: list[str]) -> None:
        """Start the tap on the way from these groups' workers to the engine."""
        command = [
            sys.executable,
            "-m",
            "harness.tap",
            "--journal",
            str(self.trial / "journal"),
            "--trial",
            self.trial_id,
            "--engine",
            self.worker_address or self.address,
        ]
        for link in (*groups, STARTER):
            command += ["--link", link]
        child = await self._children.start("tap", command)
        told = await child.ready(TAP_READY_S, "see what it said")
        self.happened(child, "ready")
        self.tap = msgspec.json.decode(told, type=TapAddresses)

    async def start_counting(self) -> None:
        """Start the counting proxy, through which workers and exporter then reach the engine.

        A generator must be given `counted_address`. What the harness does not start itself has no
        link.
        """
        links = [Subject.GENERATOR]
        if not self.target.worker.external:
            links.append(Subject.WORKER)
        if self.target.exporter is not None and not self.target.exporter.external:
            links.append(Subject.EXPORTER)
        command = [
            sys.executable,
            "-m",
            "harness.counting",
            "--journal",
            str(self.trial / "journal"),
            "--trial",
            self.trial_id,
            "--engine",
            self.address,
        ]
        for link in links:
            command += ["--link", link]
        self._counting = child = await self._children.start("counting", command, stdin=True)
        told = await child.ready(COUNTING_READY_S, "see what it said")
        self.happened(child, "ready")
        self.counting = msgspec.json.decode(told, type=CountingAddresses)
        self.worker_address = self.counting.links.get(Subject.WORKER, "")
        self.exporter_address = self.counting.links.get(Subject.EXPORTER, "")

    def counted_as(self, stretch: str) -> None:
        """What is counted from now on belongs to this stretch (empty: to nothing that counts)."""
        if self._counting is not None:
            self._counting.tell(f"{STRETCH}{stretch}")

    @property
    def counted_address(self) -> str:
        """Where a generator reaches the engine: through the counting proxy, if there is one."""
        return self.counting.links[Subject.GENERATOR] if self.counting else self.address

    @property
    def counts(self) -> bool:
        """Whether a counting proxy was started, and is still there."""
        return self._counting is not None and self._counting.running

    @property
    def counting_pid(self) -> int:
        """The counting proxy's process; 0 if there is none."""
        return self._counting.pid if self._counting else 0

    def engine_for(self, group: str) -> str:
        """Where a group's worker finds the engine: at the tap, if it is tapped."""
        if GROUPS[group].skips_time:
            return self.skipping_address
        tapped = self.tap.links.get(group) if self.tap else None
        return tapped or self.worker_address or self.address

    async def start_worker(self, group: str, *, forked: bool = True, number: int = 1) -> None:
        """Start the worker process of a group and wait until it polls; its second, third, ... one
        with a `number`."""
        if self.target.worker.external:
            self._external()
            return
        command = self._worker_command(group)
        env = self.worker_environment(group)
        child = await self._children.start(
            f"worker-{group}-{len(self.workers)}",
            command,
            env=env,
            cwd=_cwd(self.target.worker.cwd),
            forked=forked,
        )
        self.workers[group if number == 1 else f"{group}-{number}"] = child
        self._logs.append((child, group))
        self.happened(child, "started", group)
        told = await child.ready(
            self.target.worker.ready_within_s, "check worker.command in the target file"
        )
        self._declared(told, child.role, self._details(group))
        self.happened(child, "ready", group)

    def _external(self) -> None:
        name = self.target.worker.language or "external"
        self.record(Part(**now(), subject=Subject.WORKER, ours=False, name=name, lacks=self.lacks))

    def _worker_command(self, group: str) -> list[str]:
        worker = self.target.worker
        if GROUPS[group].next_build and (self.breakage.rolled_out or worker.following.command):
            return list(self.breakage.rolled_out or worker.following.command or ())
        return list(self.breakage.worker or worker.command or ())

    def version_of(self, group: str) -> dict[str, str]:
        """The Worker Deployment version that a group's worker is told; empty if none."""
        worker = self.target.worker
        if not self.versioned or worker.external or GROUPS[group].skips_time:
            return {}  # the server that skips time knows no versions
        following = GROUPS[group].next_build
        return {
            "deployment": deployment_of(worker.deployment, group),
            "build_id": worker.following.build_id if following else worker.build_id,
        }

    def _details(self, group: str) -> dict[str, str]:
        """What the journal says of a group's worker beside what it says itself."""
        twice = GROUPS[group].next_build and not self.target.worker.following.command
        return {**self.version_of(group), **({"code": SAME_CODE} if twice else {})}

    def _declared(self, told: str, role: str, details: dict[str, str]) -> None:
        try:
            ready = json.loads(told)
            version = str(ready["contract"])
        except (ValueError, KeyError, TypeError):
            raise UnavailableError(
                f"{role}: its ready line is not as the contract says: {told}"
            ) from None
        if version.split(".")[0] != CONTRACT_VERSION.split(".")[0]:
            raise UnavailableError(
                f"{role}: speaks contract {version}, the harness speaks {CONTRACT_VERSION}"
            )
        self.lacks = sorted({*self.lacks, *ready.get("lacks", ()), *unknown_to(version)})
        self.record(
            Part(
                **now(),
                subject=Subject.WORKER,
                ours=self.ours,
                name=str(ready.get("language", "")),
                version=str(ready.get("sdk", "")),
                details=details,
                lacks=self.lacks,
            )
        )

    def worker_environment(self, group: str) -> dict[str, str]:
        """What the worker of a group is told, as the contract says."""
        assert self.doubles is not None
        version = self.version_of(group)
        served = self.target.tenants[: 1 if GROUPS[group].rollout else None]
        if number := GROUPS[group].only:
            served = self.target.tenants[number - 1 : number]
        engine = self.engine_for(group)
        plain = GROUPS[group].skips_time  # it knows neither TLS nor tokens
        return {
            **({"TEMPORAL_ADDRESS": engine} if plain else self._engine_env(engine)),
            "HARNESS_TENANTS": json.dumps(
                [
                    {
                        "tenant": t.name,
                        "namespace": t.namespace,
                        "task_queue": self.queue(t.task_queue, group),
                    }
                    for t in served
                ]
            ),
            **({"HARNESS_DEPLOYMENT": version["deployment"]} if version else {}),
            **({"HARNESS_BUILD_ID": version["build_id"]} if version else {}),
            "HARNESS_PDP_URL": self._pdp_url(GROUPS[group].pdp),
            "HARNESS_PDP_DEADLINE_MS": str(GROUPS[group].pdp_deadline_ms),
            "HARNESS_SERVICES_URL": self.doubles.services,
            "HARNESS_SERVICE_DEADLINE_MS": str(GROUPS[group].service_deadline_ms),
            "HARNESS_AUDIT_URL": self.doubles.audit,
            **environment(self.target.worker, os.environ),
        }

    def _pdp_url(self, pdp: str) -> str:
        assert self.doubles is not None
        if "://" in pdp:
            return pdp
        return self.doubles.pdp_links[pdp] if pdp else self.doubles.pdp

    def _engine_env(self, address: str) -> dict[str, str]:
        env = {"TEMPORAL_ADDRESS": address}
        tls = self.target.engine.tls
        if tls is not None:
            env |= {
                "TEMPORAL_TLS_CA": tls.ca or "",
                "TEMPORAL_TLS_CERT": tls.cert or "",
                "TEMPORAL_TLS_KEY": tls.key or "",
                "TEMPORAL_TLS_SERVER_NAME": self.server_name(address),
            }
        if self.target.engine.token_file:
            env["TEMPORAL_TOKEN_FILE"] = self.target.engine.token_file
        return env

    def server_name(self, address: str) -> str:
        """The name that the engine's certificate must have; empty for that of `address` itself."""
        declared = self.target.engine.tls.server_name if self.target.engine.tls else None
        away = address != self.address  # then the certificate is still the engine's
        return declared or (self.address.rpartition(":")[0] if away else "")

    def queue(self, task_queue: str, group: str) -> str:
        """The task queue of a group; workers that we do not start have one for all."""
        queue = GROUPS[group].queue or group
        return task_queue if self.target.worker.external else f"{task_queue}-{queue}"

    async def start_exporter(self) -> None:
        """Start the audit exporter, if the harness is to start it."""
        exporter = self.target.exporter
        if exporter is None or exporter.external:
            name = "external" if exporter else "not declared"
            self.record(Part(**now(), subject=Subject.EXPORTER, ours=False, name=name))
            return
        assert self.doubles is not None
        command = list(self.breakage.exporter or exporter.command or ())
        state = Path(exporter.state) if exporter.state else self.folder / "exporter"
        state.mkdir(parents=True, exist_ok=True)
        self._exporters += 1
        self.exporter = child = await self._children.start(
            "exporter" if self._exporters == 1 else f"exporter-{self._exporters}",
            command,
            env={
                **self._engine_env(self.exporter_address or self.address),
                "HARNESS_TENANTS": json.dumps(
                    [
                        {"tenant": t.name, "namespace": t.namespace, "task_queue": t.task_queue}
                        for t in self.target.tenants
                    ]
                ),
                "HARNESS_AUDIT_URL": self.doubles.audit,
                "HARNESS_EXPORTER_STATE": str(state),
                **environment(exporter, os.environ),
            },
            cwd=_cwd(exporter.cwd),
        )
        await child.ready(exporter.ready_within_s, "check exporter.command in the target file")
        self.happened(child, "ready")
        self.record(
            Part(**now(), subject=Subject.EXPORTER, ours=self.ours, name=Path(command[-1]).name)
        )

    async def kill_exporter(self) -> None:
        """SIGKILL the exporter; raises `UnavailableError` where it is not ours to kill."""
        if self.exporter is None:
            raise UnavailableError("exporter: the harness did not start it, so it cannot kill it")
        self.happened(self.exporter, "killed")
        await self.exporter.kill()

    async def kill_worker(self, group: str) -> None:
        """SIGKILL the worker process of a group."""
        child = self.workers[group]
        self.happened(child, "killed", group)
        await child.kill()

    async def stop_worker(self, group: str) -> None:
        """End the worker process of a group as an operator does: it gives up its work in order."""
        child = self.workers[group]
        await child.stop(STOPS_WITHIN_S)
        self.happened(child, "exited", group)

    async def restart_worker(self, group: str) -> None:
        """Start a killed worker again, as it was, but with an interpreter of its own: what one
        makes anew when it starts (the seed of hashes) is not what its predecessor had."""
        await self.start_worker(group, forked=False)

    async def stop(self) -> None:
        """End workers, exporter and doubles in order, so that their evidence is complete."""
        await self._children.stop_all()
        for child, group in self._logs:
            try:
                written = child.log.read_bytes()
            except OSError:  # a full disk: then there is no log
                continue
            self.record(
                Log(
                    **now(),
                    role=child.role,
                    group=group,
                    path=child.log.resolve().relative_to(self.trial.resolve()).as_posix(),
                    size_bytes=len(written),
                    sha256=hashlib.sha256(written).hexdigest(),
                )
            )
        self._logs.clear()


def _cwd(given: str | None) -> Path | None:
    return Path(given) if given else None
