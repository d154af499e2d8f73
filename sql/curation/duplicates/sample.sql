-- Some pairs that reach a threshold, but not the one before it: those that only just do.

SELECT a, b, score
FROM read_parquet($parts)
WHERE $sign * score::DOUBLE >= $sign * $threshold::DOUBLE
    AND ($above::DOUBLE IS NULL OR $sign * score::DOUBLE < $sign * $above::DOUBLE)
ORDER BY $sign * score, a, b
LIMIT $sample
