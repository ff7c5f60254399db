"""The page of a model, and what `predict` says of pictures, over HTTP on this machine."""
