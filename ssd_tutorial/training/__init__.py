"""Training: recipes, loader, loop, several processes, the run's folder (chapters 12, 15)."""
