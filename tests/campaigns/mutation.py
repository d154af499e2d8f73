"""Mutations of bytes as fuzzers make them: a few small changes to an intact file."""

import random
import struct

NUMBERS = (0, 1, 2, 7, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**64 - 1)
TOKENS = (
    *(b"", b"\0", b"\n", b"\r\n", b"\r", b",", b'"', b'""', b"\xff", b"\xef\xbb\xbf", b" ", b"-", b"+", b"'", b"\\"),
    *(b"NaN", b"inf", b"1e400", b"-0", b"007", b"1.5", b"NULL", b"null", b"true", b"[", b"]", b"{", b"}", b":", b"()"),
    *(b"\xf0\x9f\x8e\xb8", b"\xe2\x80\xa8", b"\\ud83d", b"2147483648", b"99999999999999999999999", b"9" * 400),
    *(b"<f4", b">f4", b"|O", b"<c8", b"F32", b"BF16", b"shape", b"data_offsets", b"fortran_order", b"True", b"descr"),
)


def exchange_field(dice: random.Random, whole: bytes) -> bytes:
    """CSV with a token in place of one field."""
    ends = [-1, *(at for at, byte in enumerate(whole) if byte in b",\n")]
    field = dice.randrange(len(ends) - 1)
    return whole[: ends[field] + 1] + dice.choice(TOKENS) + whole[ends[field + 1] :]


def mutate(dice: random.Random, whole: bytes, *, first: int | None = None) -> bytes:
    """Make one to four changes: a byte, a token, a number, or a piece removed, repeated or moved.

    Args:
        dice: the source of randomness.
        whole: the intact content.
        first: change only this many bytes at the beginning, such as a header.
    """
    data = bytearray(whole)
    for _ in range(dice.randint(1, 4)):
        end = min(len(data), first or len(data))
        at = dice.randrange(end + 1)
        to = min(end, at + dice.choice((1, 1, 2, 4, 8, 16, 100, 5000)))
        match dice.randrange(9):
            case 0 if at < end:
                data[at] ^= 1 << dice.randrange(8)
            case 1 if at < end:
                data[at] = dice.randrange(256)
            case 2:
                data[at:at] = dice.choice(TOKENS)
            case 3:
                data[at:to] = dice.choice(TOKENS)
            case 4:
                number = dice.choice(NUMBERS)
                width, code = dice.choice(((8, "<Q"), (4, "<I")))
                data[at : at + width] = struct.pack(code, number & (2 ** (8 * width) - 1))
            case 5:
                del data[at:to]
            case 6:
                data[at:at] = data[at:to] * dice.choice((1, 2, 50))
            case 7 if dice.random() < 0.3:
                del data[at:]
            case _:
                piece = data[at:to]
                del data[at:to]
                place = dice.randrange(min(len(data), end) + 1)
                data[place:place] = piece
    return bytes(data)
