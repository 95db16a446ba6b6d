"""Where training data comes from: public loan records, and the made-up firms of the embedded institutions."""
