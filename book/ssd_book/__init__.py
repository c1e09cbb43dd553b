"""What only the pages need: explorers, checks of exercises, what SSD costs, the first picture."""
