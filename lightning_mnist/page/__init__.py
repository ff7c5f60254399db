"""A page to draw on: one HTML file that needs nothing else, put together from the files here."""
