-- For a store in which some file names lead out of their folders: those rows have no path, because someone will serve or
-- delete the files that paths name.

CREATE OR REPLACE MACRO inside(folder, file) AS NOT climbs(folder::VARCHAR) AND NOT climbs(file);
COMMENT ON MACRO inside IS 'Internal: whether a path made of a folder and a file name stays inside the media root; true for every row where the build found no other';
