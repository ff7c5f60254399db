"""Runs that are there: found, shown, compared and removed. Nothing here imports torch."""
