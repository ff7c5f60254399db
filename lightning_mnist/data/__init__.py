"""Raw digits: where they come from, how they are split, and the mini-batches made of them."""
