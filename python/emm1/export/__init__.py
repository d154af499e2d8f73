"""The rows of a query as files for other programs: tables, WebDataset, the Hub's edition."""
