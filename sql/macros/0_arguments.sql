-- Arguments of the other macros, checked for their types. An error names the macro and what it takes, such as
--     nearest(embedding_name VARCHAR, query FLOAT[], k BIGINT := 10): query is DATE
-- where DuckDB would name a cast, or a function under the macro; `label` is the text before "is". DuckDB replaces typeof
-- with a constant while it plans a query, so these cost nothing when the query runs. Each expression costs time to plan, so
-- they are as few as possible: a regular expression is one.

CREATE MACRO as_ids(given, label) AS
    CASE WHEN regexp_matches(typeof(given), '^((U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|"NULL")\[\d*\]|"NULL")$')
        THEN given ELSE error(concat(label, ' is ', typeof(given))) END;
COMMENT ON MACRO as_ids IS 'Internal: an argument, if it is a list of numbers';

CREATE MACRO as_name(given, label) AS
    CASE WHEN regexp_matches(typeof(given), '^(VARCHAR|ENUM\(.*\)|"NULL")$')
        THEN given::VARCHAR ELSE error(concat(label, ' is ', typeof(given))) END;
COMMENT ON MACRO as_name IS 'Internal: an argument, if it is text';

CREATE MACRO as_number(given, label) AS
    CASE WHEN regexp_matches(typeof(given), '^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|"NULL")$')
        THEN given ELSE error(concat(label, ' is ', typeof(given))) END;
COMMENT ON MACRO as_number IS 'Internal: an argument, if it is a number';

CREATE MACRO as_numbers(given, attempt, label) AS
    -- Clients that cannot pass a list pass its text. Where that is not a list, the attempt to cast it is NULL.
    CASE WHEN regexp_matches(typeof(given), '^((U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|VARCHAR|"NULL")\[\d*\]|"NULL")$')
            OR typeof(given) IN ('VARCHAR', 'JSON') AND (given IS NULL OR attempt IS NOT NULL)
        THEN given ELSE error(concat(label, ' is ', typeof(given))) END;
COMMENT ON MACRO as_numbers IS 'Internal: an argument, if it is a list or an array of numbers or of their texts, or the text of a list';
