"""The divergence ladder: the first rung at which two sides part, and why."""
