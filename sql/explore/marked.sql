-- Captions in pieces that make them up: whether each is one of the words of a search. A piece is a Han or Hiragana character, or a run
-- of letters, digits and their marks, or what stands between. In a class of characters that is negated, [^\P{L}\p{Han}] is every
-- letter that is not Han.

SELECT caption_place, piece, coalesce(list_has_any(folded_words(piece), folded_words($words)), false) AS matches
FROM (
    SELECT caption_place, unnest(pieces) AS piece, generate_subscripts(pieces, 1) AS place
    FROM (
        SELECT caption_place, regexp_extract_all(
            caption,
            '[\p{Han}\p{Hiragana}]\p{M}*|(?:[^\P{L}\p{Han}\p{Hiragana}]|[^\P{N}\p{Han}\p{Hiragana}]|\p{M})+|[^\p{L}\p{N}\p{M}]+'
        ) AS pieces
        FROM (SELECT unnest($captions) AS caption, generate_subscripts($captions, 1) - 1 AS caption_place)
    )
)
ORDER BY caption_place, place;
