-- The tables of an emm1 store as Parquet, and its views, for Spark SQL. Where this folder is moved, change these settings:
-- this folder as Spark names it, such as s3a://bucket/lake, the folder of the media, and the one that has the audio in it.

SET emm1.lake = `{lake}`;
SET emm1.media = `{media}`;
SET emm1.audio = `{audio}`;
