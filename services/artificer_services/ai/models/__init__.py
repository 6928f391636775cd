"""What a model is, those there are, and who may use how much of them."""
