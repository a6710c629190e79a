"""Bodies that no client sends."""

import json

URL = "https://example.com/a.mp3"


def part(name: str, value: str = "") -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    return head.encode()


MULTIPART = "multipart/form-data; boundary=cut"

FORMS = {
    "15 MB of a&": ("application/x-www-form-urlencoded", b"a&" * 7_500_000),
    "many short fields": ("application/x-www-form-urlencoded", b"a&" * 100_000),
    "percents": ("application/x-www-form-urlencoded", b"a=" + b"%41" * 600_000),
    "a million empty parts": (MULTIPART, part("a") * 1_000_000),
    "parts without a name": (MULTIPART, b"--cut\r\n\r\n\r\n" * 1_000_000),
    "a boundary of 60 kB": (f"multipart/form-data; boundary={'b' * 60_000}", b"--b"),
    "a long name": (MULTIPART, part("n" * 3000) + b"--cut--"),
    "fields of 17 MB": (MULTIPART, part("a", "x" * 17 * 2**20) + b"--cut--"),
    "much behind its end": (MULTIPART, part("a") + b"--cut--" + b"x" * 22 * 2**20),
    "long headers": (MULTIPART, b"--cut\r\nX: " + b"x" * 100_000),
}


DEEP = 100_000
TEXTS = {
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"url":' * DEEP,
    "a deep value": b'{"url": "https://example.com", "x": ' + b"[" * 99 + b"]" * 99 + b"}",
    "many values": b"[" + b"1," * 400_000 + b"1]",
    "half a character": json.dumps({"url": URL, "task": "\ud800"}).encode(),
    "half a character in a name": json.dumps({"url": URL, "\udfff": 1}).encode(),
    "half a character as bytes": b'{"url": "https://example.com/\xed\xa0\x80"}',
    "infinite": json.dumps({"url": URL, "batch_size": float("inf")}).encode(),
    "too large a number": b'{"url": "https://example.com", "batch_size": 1e999}',
    "a long number": b'{"url": "https://example.com", "batch_size": ' + b"9" * 5000 + b"}",
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "no object": b"7",
}
