"""What is on one page, how it is read, and in which order. Pure: knows no library."""
