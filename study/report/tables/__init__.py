"""Tables of confirmed configurations: the study's own, and the paper's with its numbers beside."""
