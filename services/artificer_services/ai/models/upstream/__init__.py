"""Models behind any server with OpenAI's protocol."""
