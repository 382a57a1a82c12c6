"""Where a study's files are, and who may write them."""
