"""What is run: scenario suites, load files, mutants and the reference platform.

Kept empty on purpose: the SDK's sandbox imports it again for every workflow.
"""
