"""Readers of data sets, one file each: files on a disk to arrays and labels."""
