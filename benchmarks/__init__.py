"""What is measured, how, and the last results; one command each."""
