"""`python -m scenarios.mutants.next_build MODULE`: a build of the reference worker with other code.

It is rolled out after the one that recorded the runs, so it only ever replays them.
"""

from __future__ import annotations

import importlib
import sys

from scenarios.reference.worker import Parts, main


def workflow_of(module: str) -> type:
    """The workflow class that a module of `scenarios.mutants.workflows` defines."""
    name = f"scenarios.mutants.workflows.{module}"
    (found,) = (
        each
        for each in vars(importlib.import_module(name)).values()
        if isinstance(each, type) and each.__module__ == name
    )
    return found


if __name__ == "__main__":
    main(Parts(workflow=workflow_of(sys.argv[1])))
