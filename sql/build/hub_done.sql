-- The temporary tables of the items of the Hub's files are not needed any more.

DROP TABLE IF EXISTS hub_seen;
DROP TABLE IF EXISTS hub_several;
