"""Projects, conversations and their messages."""
