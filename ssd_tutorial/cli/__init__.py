"""The command line, ``python -m ssd_tutorial COMMAND``: one module for each command."""
