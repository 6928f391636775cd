"""The generated resources."""
