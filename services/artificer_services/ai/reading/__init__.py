"""Reads assets: which kind one is, where its bytes come from, and its text page by page."""
