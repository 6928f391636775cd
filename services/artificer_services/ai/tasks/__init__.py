"""Task types of batch jobs that use models and collections: llm.generate, embed and rag.index."""
