"""Training data: public loan records, and the made-up firms of the embedded institutions."""
