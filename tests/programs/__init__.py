"""Programs as people write them, healthy and faulty, for the guards and the check."""
