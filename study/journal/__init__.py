"""What happened in a study, append-only: every other file of a study can be made anew from it."""
