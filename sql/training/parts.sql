-- The parts into which a dataset ($dataset) is split.

SELECT DISTINCT split FROM splits WHERE dataset = $dataset ORDER BY split;
