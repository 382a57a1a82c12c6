"""A trained network to learn from: imported, run on each batch, or looked up."""
