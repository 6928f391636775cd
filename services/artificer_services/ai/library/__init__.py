"""Collections of documents: chunks, their words and vectors, and the search in them."""
