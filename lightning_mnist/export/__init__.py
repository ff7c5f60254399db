"""What leaves the house: the digits as a file, and a trained model in forms that others run."""
