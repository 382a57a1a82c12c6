"""Ray Tune in its own words: the tuner, its searcher, its callback and its scheduler."""
