"""How fast and how well documents are read, beside the ways people read them otherwise."""
