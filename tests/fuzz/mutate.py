"""Damage files: their bytes at random, or their meaning with values that readers do not expect."""

import re
from random import Random

BYTES = [*(bytes([code]) for code in b'\0\xff<>&"{}[]\n:'), b"\xef\xbb\xbf"]
VALUES = [
    *(b"nan", b"inf", b"-inf", b"1e308", b"1e999", b"-1", b"0", b"1.5", b"99999999999999999999"),
    *(b"", b"null", b"true", b"no", b"[]", b"{}", b'""', b"[[[]]]", b"0x10", b"1_000", b"1,5"),
    *(b"\xc3\xa9", b"\xf0\x9f\x90\x88", b"&#0;", b"%s", b"../..", b"/dev/zero", b"1" + b"0" * 400),
    *(b"background", b"   ", b"a\tb", b"\xed\xa0\x80", b'"1"', b"-0.0", b"1e-320", b"NaN"),
]
DEEP = [b"[" * 3000, b"{'a':" * 3000, b"<a>" * 3000, b"- " * 3000, b"!!python/object:os.system x"]
BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\nnames: *d\n"
WORD = re.compile(rb"[\w.+-]+")


def mutated(rng: Random, content: bytes) -> bytes:
    """Change bytes: flip, delete, insert, cut short, repeat."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 6])):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[place % len(data)] = rng.randrange(256)
        elif kind == 1:
            data[place:place] = rng.choice(BYTES)
        elif kind == 2:
            del data[place : place + rng.choice([1, 2, 20])]
        elif kind == 3:
            del data[place:]
        elif kind == 4:
            data[place:place] = data[place : place + rng.choice([5, 50])]
        elif data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
    return bytes(data)


def swapped(rng: Random, content: bytes) -> bytes:
    """Change meaning: other values, other words, words exchanged or dropped, deep nesting."""
    words = [m.span() for m in WORD.finditer(content)]
    if not words or rng.random() < 0.05:
        return rng.choice([*DEEP, BOMB, b"", b"\0" * 100, content + content])
    for _ in range(rng.choice([1, 1, 2, 4])):
        words = [m.span() for m in WORD.finditer(content)]
        if not words:
            break
        low, high = rng.choice(words)
        other = rng.choice(words)
        kind = rng.randrange(4)
        if kind < 2:
            value = rng.choice(VALUES)
        elif kind == 2:
            value = content[slice(*other)]
        else:
            value = rng.choice(DEEP)[:9] if rng.random() < 0.3 else content[low:high].swapcase()
        content = content[:low] + value + content[high:]
    return content
