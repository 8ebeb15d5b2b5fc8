"""Broken parts of the reference platform, each with one defect; `table.py` lists them.

Kept empty on purpose: the SDK's sandbox imports it again for every workflow.
"""
