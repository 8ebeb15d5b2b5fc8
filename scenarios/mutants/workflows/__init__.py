"""Workflow code with one defect each. A module whose name is replayed holds one class.

Kept empty on purpose: the SDK's sandbox imports it again for every workflow.
"""
