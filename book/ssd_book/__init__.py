"""What only the pages need: live explorers, checks of the exercises, the book's first picture."""
