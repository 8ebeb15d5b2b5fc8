"""Faults that are injected from outside the platform, and the evidence that they bit."""
