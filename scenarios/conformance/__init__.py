"""The conformance suites: saga programs and acts, each feeding catalogue IDs.

`SUITES` is the list that a drive imports; each module is a pytest module as well, whose items are
the catalogue IDs that it feeds.
"""

SUITES = (
    # their retries take longest
    "scenarios.conformance.test_durability",
    "scenarios.conformance.test_authorization",
    "scenarios.conformance.test_isolation",
    "scenarios.conformance.test_restarts",
    "scenarios.conformance.test_rollout",
    "scenarios.conformance.test_generated",
    "scenarios.conformance.test_idempotency",
    "scenarios.conformance.test_memory",
    "scenarios.conformance.test_determinism",
    "scenarios.conformance.test_compatibility",
    "scenarios.conformance.test_audit",
    "scenarios.conformance.test_growth",
    "scenarios.conformance.test_validation",
    "scenarios.conformance.test_deployment",
)
