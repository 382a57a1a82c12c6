"""One configuration to one trained student: epochs, checkpoints, the result."""
