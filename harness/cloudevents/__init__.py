"""CloudEvents 1.0.2 over HTTP, judged byte by byte: what a sender wrote, never what was meant.

`parse` takes the header lines and the raw body of one request and gives the events in it, each with
the rules that it breaks. Nothing is repaired, guessed or filled in, and no input makes it fail.
"""

from harness.cloudevents.message import Event, parse
from harness.cloudevents.rules import MUST, RULES, SHOULD, Problem

__all__ = ["MUST", "RULES", "SHOULD", "Event", "Problem", "parse"]
