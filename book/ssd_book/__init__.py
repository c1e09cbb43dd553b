"""What only the book needs: explorers, checks of exercises, photographs, plots, costs of SSD.

`check_env` reports what an environment lacks.
"""
