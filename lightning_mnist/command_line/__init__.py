"""A command line of the product: its flags, what they come to, and what is shown meanwhile."""
