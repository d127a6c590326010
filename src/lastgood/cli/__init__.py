"""The command-line interface: one module a verb."""
