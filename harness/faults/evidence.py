"""Whether a fault bit, seen from outside of the program that injects it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psutil

from harness.faults.address import split
