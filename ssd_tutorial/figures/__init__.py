"""Figures: one style for all, plots, and tables that follow the theme of the page."""
