"""Many trainings in one process, or in several at once, none of which looks at the test set."""
