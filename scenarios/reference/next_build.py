"""The next build of the reference worker: `python -m scenarios.reference.next_build`.

Other code under another version, so that a rollout has two builds polling side by side.
"""

from __future__ import annotations

from scenarios.reference.next_workflow import NextSaga
from scenarios.reference.worker import Parts, main

if __name__ == "__main__":
    main(Parts(workflow=NextSaga))
