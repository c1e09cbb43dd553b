"""Training: recipes, loader, loop, several processes, the folder of a run (chapters 12, 15)."""
