"""What only the pages need: explorers, checks of exercises, photographs, plots, costs of SSD."""
