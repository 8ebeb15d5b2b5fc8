"""The reference platform's worker and audit exporter; they import nothing of `harness`.

Kept empty on purpose: the SDK's sandbox imports it again for every workflow.
"""
