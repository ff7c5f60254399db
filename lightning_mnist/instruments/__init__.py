"""What `parity` asks this side for: settings, lock step, mistakes and weights."""
