"""Figures: a common style, plots, and tables that follow the page's theme."""
