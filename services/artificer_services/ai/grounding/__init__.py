"""Answers from passages: the prompt that fences them, and the citations."""
