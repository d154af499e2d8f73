-- Takes away a flag that a source gave ($source), or that any did (NULL).

DELETE FROM flags WHERE flag = $flag AND ($source::VARCHAR IS NULL OR source = $source::VARCHAR)
