"""Workers that do something else with the version that they are told, or name another SDK."""

from __future__ import annotations

from dataclasses import replace

from temporalio.bridge.client import ClientConfig
from temporalio.common import VersioningBehavior
from temporalio.service import ConnectConfig
from temporalio.worker import WorkerDeploymentConfig

from scenarios.reference.worker import pinned


def none(deployment: str, build_id: str) -> WorkerDeploymentConfig | None:
    """Polls unversioned, whatever it is told."""
    return None


def auto_upgrade(deployment: str, build_id: str) -> WorkerDeploymentConfig | None:
    """Its runs go on with whatever version is the current one."""
    config = pinned(deployment, build_id)
    if config is None:
        return None
    return replace(config, default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE)


def name_another_sdk() -> None:
    """From now on clients of this process call themselves those of another SDK."""
    as_it_is = ConnectConfig._to_bridge_config

    def renamed(config: ConnectConfig) -> ClientConfig:
        return replace(as_it_is(config), client_name="temporal-php", client_version="1.9.0")

    ConnectConfig._to_bridge_config = renamed  # type: ignore[method-assign, assignment]
