"""Bodies of every shape that a stranger may send, as large as asked for."""

from collections.abc import Callable


def _filled(size: int, start: bytes, piece: bytes, end: bytes) -> bytes:
    return start + piece * ((size - len(start) - len(end)) // len(piece)) + end


def _keys(size: int, *, end: bytes = b"}") -> bytes:
    parts, length, number = [], 2, 0
    while length < size - 40:
        parts.append(b'"%x":1' % number)
        length += len(parts[-1]) + 1
        number += 1
    return b"{" + b",".join(parts) + end


SHAPES: dict[str, Callable[[int], bytes]] = {
    "many keys": _keys,
    "many keys, the last twice": lambda n: _keys(n, end=b',"A":1,"a":1}'),
    "one key again and again": lambda n: _filled(n, b"{", b'"a":1,', b'"a":1}'),
    "one key, all in one case or the other": lambda n: _filled(n, b"{", b'"a":1,"A":1,', b'"a":1}'),
    "many objects": lambda n: _filled(n, b'{"a":[', b'{"a":1},', b"{}]}"),
    "empty objects": lambda n: _filled(n, b'{"a":[', b"{},", b"{}]}"),
    "whole numbers": lambda n: _filled(n, b'{"a":[', b"1,", b"1]}"),
    "fractions": lambda n: _filled(n, b'{"a":[', b"1.5,", b"1]}"),
    "long numbers": lambda n: _filled(n, b'{"a":[', b"9" * 64 + b",", b"1]}"),
    "one number": lambda n: _filled(n, b'{"a":', b"9", b"}"),
    "huge exponents": lambda n: _filled(n, b'{"a":[', b"1e999999,", b"1]}"),
    "one string": lambda n: _filled(n, b'{"a":"', b"x", b'"}'),
    "short strings": lambda n: _filled(n, b'{"a":[', b'"",', b'""]}'),
    "unicode escapes": lambda n: _filled(n, b'{"a":"', rb"\u0041", b'"}'),
    "surrogates": lambda n: _filled(n, b'{"a":"', rb"\ud800", b'"}'),
    "short escapes": lambda n: _filled(n, b'{"a":"', rb"\n", b'"}'),
    "commas and escapes in one string": lambda n: _filled(n, b'{"a":"', rb"\n,", b'"}'),
    "commas and escapes in a string within": lambda n: _filled(n, b'{"bar":{"a":"', rb"\n,", b'"}}'),
    "quotes in one string": lambda n: _filled(n, b'{"a":"', rb"\"", b'"}'),
    "wide characters": lambda n: _filled(n, b'{"a":"', "€".encode(), b'"}'),
    "white space": lambda n: _filled(n, b"{", b" \r\n", b"}"),
    "white space alone": lambda n: _filled(n, b"", b" \n", b""),
    "deep arrays": lambda n: _filled(n, b'{"a":', b"[", b""),
    "deep objects": lambda n: _filled(n, b"", b'{"a":', b""),
    "empty arrays": lambda n: _filled(n, b'{"a":[', b"[],", b"[]]}"),
    "arrays at the deepest": lambda n: _filled(n, b'{"a":[', b"[" * 14 + b"]" * 14 + b",", b"[]]}"),
    "trues": lambda n: _filled(n, b'{"a":[', b"true,", b"true]}"),
    "lines, then an error": lambda n: _filled(n, b"{", b"\n", b"x"),
    "no JSON": lambda n: _filled(n, b"", b"x", b""),
    "no text": lambda n: _filled(n, b"", b"\xff", b""),
    "nearly the secret's key": lambda n: _filled(n, b"", b"secret_ke", b""),
    "the secret's key alone": lambda n: _filled(n, b"", b"secret_key", b""),
    "the secret's key and gaps": lambda n: _filled(
        n, b"", b"secret_key" + b" " * 10 + b":" + b" " * 10 + b"\\" * 9, b""
    ),
    "the secret's key, one value": lambda n: _filled(n, b"", b"secret_key=a&", b""),
    "pairs": lambda n: _filled(n, b"", b"a=1;", b""),
    "pairs of different keys": lambda n: b";".join(b"k%x=1" % number for number in range(n // 8)),
    "pairs within pairs": lambda n: _filled(n, b"a=1;b=", b",c=1", b""),
    "signs": lambda n: _filled(n, b"", b"a=", b""),
    "a form": lambda n: _filled(n, b"", b"a=1&", b"a=1"),
    "a form of escapes": lambda n: _filled(n, b"a=1&b=", b"%41", b""),
    "lines of keys and values": lambda n: _filled(n, b"", b"a: 1\n", b""),
    "blanks behind a colon": lambda n: _filled(n, b"a: 1\nb:", b" ", b""),
    "words": lambda n: _filled(n, b"", b"buy 1 ", b"INFY"),
    "trailing commas": lambda n: _filled(n, b'{"a":[', b"[1,],", b"]}"),
    "commas and blanks": lambda n: _filled(n, b'{"a":1', b",  ", b"}"),
    "texts with line ends": lambda n: _filled(n, b'{"a":[', b'"\n",', b'"\n"]}'),
    "typographic quotes": lambda n: _filled(n, b"{", "“a”:1,".encode(), b"}"),
    "JSON in a text": lambda n: _filled(n, b'"{', rb"\"a\":[1],", b'}"'),
    "objects in a list": lambda n: _filled(n, b"[", b'{"a":1},', b"{}]"),
    "brackets without end": lambda n: _filled(n, b"A(B){", b"x=1,", b""),
    "bars": lambda n: _filled(n, b"Txn:BUY", b"|a:1", b""),
    "orders": lambda n: _filled(n, b"", b"order buy @ 1 filled on A. ", b""),
    "blanks and commas": lambda n: _filled(n, b"A ", b" ", b",buy,EURUSD"),
    "the usual keys again and again": lambda n: _filled(n, b"", b"key=a secret=b token= ", b""),
    "tabs behind a word of a notice": lambda n: _filled(
        n, b'{"message":"the session ended","state":"close', rb"\t", b'!"}'
    ),
    "signs behind a word of a notice": lambda n: _filled(
        n, b'{"message":"the session ended","state":"close', b"!", b'"}'
    ),
    "the secret's key, an open quote": lambda n: _filled(n, b"", b"secret_key='", b""),
}
