"""Control plane: what to run, where it stands, what came out."""
