"""MLflow, written and read in one room."""
