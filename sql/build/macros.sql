-- What the build needs while it reads; nothing here stays in the store.

-- DuckDB casts '1.5' and '0x10' to integers; a published id consists of digits only. Casting it back is the fast check;
-- only a value that comes back different ('007', or a mistake) is matched with a pattern.
CREATE TEMP MACRO required_integer_field(field) AS
    CASE
        WHEN field::INTEGER::VARCHAR = field OR regexp_full_match(field, '[+-]?[0-9]+') THEN field::INTEGER
        ELSE error('not an integer')::INTEGER
    END;

-- A quoted empty field is '' if text is expected; if a number is expected, it is NULL, like an unquoted one.
CREATE TEMP MACRO integer_field(field) AS CASE WHEN field <> '' THEN required_integer_field(field) END;

-- DuckDB casts 'NaN', 'inf', '1_0' and '10 ' to numbers too. A published number consists of digits, optionally with a sign,
-- a fraction and an exponent, and is within the range of DOUBLE.
CREATE TEMP MACRO number_field(field) AS
    CASE
        WHEN field = '' THEN NULL
        WHEN regexp_full_match(field, '[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?') AND isfinite(try_cast(field AS DOUBLE))
        THEN try_cast(field AS DOUBLE)
        ELSE CASE WHEN field IS NOT NULL THEN error('not a number')::DOUBLE END
    END;

CREATE TEMP MACRO triplet_modality_field(field) AS
    CASE
        WHEN field IN ('audio', 'image', 'points', 'video') THEN field::modality
        ELSE error('unknown modality')::modality
    END;

CREATE TEMP MACRO rank_field(field, expected) AS
    CASE WHEN field = expected THEN field ELSE error('not the rank of the folder')::SMALLINT END;
