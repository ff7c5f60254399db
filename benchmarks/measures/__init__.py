"""What is measured: each module has ``measure(setting)``, which returns plain values for JSON."""
