"""Going on where a training stopped: what it keeps, in which folder, and what may go on from it."""
