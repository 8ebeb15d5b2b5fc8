"""The reference worker without the sandbox."""

from __future__ import annotations

from temporalio.worker import UnsandboxedWorkflowRunner

from scenarios.reference.worker import Parts, main

if __name__ == "__main__":
    main(Parts(runner=UnsandboxedWorkflowRunner))
