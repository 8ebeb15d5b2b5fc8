"""The language-neutral interface between a platform's workers and the harness.

`CONTRACT.md` is the document; `program.py` holds its saga programs as types.
"""
