"""`harness catalogue`."""

from __future__ import annotations

import argparse
import json

from harness.catalogue import Assertion, UnknownAssertion, judged_by, load_catalogue
from harness.catalogue.show import as_json, explain, table
from harness.checks.table import CHECKED, TABLE
from harness.cli.finish import known_mutants
from harness.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Print the catalogue, or explain some of its IDs."""
    catalogue, mutants = load_catalogue(), known_mutants()
    if options.format == "json":
        rows = as_json(catalogue, CHECKED, mutants)
        if options.ids:
            wanted = {_get(each).id for each in options.ids}
            rows = [row for row in rows if row["id"] in wanted]
        print(json.dumps(rows, indent=1))
    elif options.ids:
        docs = {check.id: check.judge.__doc__ for check in TABLE}
        print(
            "\n\n".join(
                explain(
                    _get(each),
                    judged_by(_get(each), CHECKED),
                    docs.get(each),
                    dict(mutants.get(each, ())),
                )
                for each in options.ids
            )
        )
    else:
        print(table(catalogue, CHECKED, mutants))
    return 0


def _get(each: str) -> Assertion:
    try:
        return load_catalogue().get(each)
    except UnknownAssertion as error:
        raise UsageError(str(error)) from None
