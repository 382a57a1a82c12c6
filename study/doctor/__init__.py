"""What ``sdd-study doctor`` looks at: lists of checks, each of which says what it found and what to do."""
