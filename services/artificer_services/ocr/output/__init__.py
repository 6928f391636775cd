"""Pages as files: the formats in which the text of a document is returned. Pure: knows layouts, but no library."""
