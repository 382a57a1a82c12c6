"""Runs, teachers and cached outputs by key, in a folder or an object store."""
