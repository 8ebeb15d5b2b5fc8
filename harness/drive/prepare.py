"""`python -m harness.drive.prepare`: register the tenants' namespaces and say the engine's version.

Reads an `Ask` of `harness.drive.probe` from the file named as its argument; prints one ready line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import msgspec

from harness.contract.ready import READY
from harness.drive.connect import connect_all, server_version
from harness.drive.probe import Ask
from harness.errors import HarnessError


def main() -> None:
    ask = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Ask)
    code = 0
    try:
        version = asyncio.run(_prepare(ask))
        print(f"{READY}{json.dumps({'version': version})}")
    except HarnessError as error:
        print(error)
        code = error.exit_code
    sys.stdout.flush()
    os._exit(code)


async def _prepare(ask: Ask) -> str:
    clients = await connect_all(ask.engine, ask.tenants)
    return await server_version(next(iter(clients.values())))


if __name__ == "__main__":
    main()
