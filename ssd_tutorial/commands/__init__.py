"""One module a command of ``python -m ssd_tutorial``; each is a function that tyro reads."""
