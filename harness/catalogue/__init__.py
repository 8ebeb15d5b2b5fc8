"""The catalogue: every testable statement of the decision record, as data.

`adr.md` is the record itself, `catalogue.yaml` its assertions, `parameters.yaml` the meanings that
it leaves to a declaration, `gaps.yaml` what it leaves open. Nothing here judges: which ids have a
check is told by whoever asks.
"""

from harness.catalogue.load import load_catalogue
from harness.catalogue.model import (
    Area,
    Assertion,
    Catalogue,
    Gap,
    JudgedBy,
    Kind,
    Level,
    Parameter,
    Place,
    Profile,
    UnknownAssertion,
    Value,
    judged_by,
)

__all__ = [
    "Area",
    "Assertion",
    "Catalogue",
    "Gap",
    "JudgedBy",
    "Kind",
    "Level",
    "Parameter",
    "Place",
    "Profile",
    "UnknownAssertion",
    "Value",
    "judged_by",
    "load_catalogue",
]
