"""The dataset's edition on the Hub: Parquet files with everything joined in, from which the same tables are filled."""
