"""What the clients cost beside the libraries below them."""
