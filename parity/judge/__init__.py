"""From the files that two sides left to a verdict."""
