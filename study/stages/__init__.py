"""What a launch goes through, one file each: teachers, search, confirm, report."""
