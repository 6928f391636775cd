"""The speed and accuracy of reading documents compared with other programs."""
