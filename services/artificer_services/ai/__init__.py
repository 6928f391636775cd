"""AI services: models, collections of documents, grounded answers, conversations, and OpenAI's form of them."""
