"""The platform under test, as one YAML file describes it.

`model` holds its values, `parse` reads and checks a file, `template` writes a first one.
"""
