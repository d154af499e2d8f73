-- The best score of all pairs.

SELECT $sign * max($sign * score::DOUBLE) FROM read_parquet($parts)
