"""PDF libraries: what is on a page, and its pixels."""
