"""`python -m bench.ai`: the AI services beside the libraries that they use, in the same run."""
