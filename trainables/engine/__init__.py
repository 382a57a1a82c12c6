"""One optimisation step on one device: network, loss, optimiser, compilation, evaluation."""
