"""What came out of a study: CSVs, tables, figures."""
