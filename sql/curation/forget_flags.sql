-- Takes away all that a source said.

DELETE FROM flags WHERE source = $source
