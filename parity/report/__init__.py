"""What is shown of a comparison: in the terminal, as a page, for programs and for pull requests."""
