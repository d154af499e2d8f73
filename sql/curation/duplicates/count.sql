-- How many pairs reach a threshold.

SELECT count(*) FROM read_parquet($parts) WHERE $sign * score::DOUBLE >= $sign * $threshold::DOUBLE
