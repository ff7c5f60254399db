"""Both sides as processes: recipes, trainings and lock step."""
