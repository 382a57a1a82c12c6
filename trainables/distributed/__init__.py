"""Several processes that train one trial together: reductions, batch statistics, checks."""
