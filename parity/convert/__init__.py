"""Models from one framework's file into another's."""
