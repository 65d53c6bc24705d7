"""Films that are there already, brought in by an operator: docs/importing.md."""
