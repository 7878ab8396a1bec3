"""The interpreter and the operating system; knows no metrics."""
