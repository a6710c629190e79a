"""The name server of the attack lies in the ways that it says."""

import socket
import struct
from ipaddress import ip_address

import pytest

from benchmarks.attack.names import Zone

_A, _CNAME, _AAAA = 1, 5, 28


def asked(zone: Zone, name: str, kind: int = _A) -> list[tuple[int, bytes]]:
    """The kind and the data of each record."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in (name, "test")) + b"\0"
    question = labels + struct.pack("!HH", kind, 1)
    answer = zone.answer(struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + question)
    number, flags, _, count, *_ = struct.unpack("!HHHHHH", answer[:12])
    assert number == 7
    assert flags & 0x800F == 0x8000  # an answer, without a fault
    assert answer[12 : 12 + len(question)] == question
    at, records = 12 + len(question), []
    for _ in range(count):
        while answer[at]:
            at += 1 + answer[at]
        found, _, lifetime, length = struct.unpack("!HHIH", answer[at + 1 : at + 11])
        assert lifetime == 0
        records.append((found, answer[at + 11 : at + 11 + length]))
        at += 11 + length
    assert at == len(answer)
    return records


def test_a_name_that_is_bound_anew_changes_with_each_question() -> None:
    zone = Zone()
    said = [[str(ip_address(data)) for _, data in asked(zone, "rebinding")] for _ in range(3)]
    assert said == [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]]
    assert zone.asked["rebinding"] == 3


def test_chains_end_at_the_trap_and_loops_nowhere() -> None:
    *links, (kind, data) = asked(Zone(), "chain-0")
    assert {kind for kind, _ in links} == {_CNAME}
    assert (kind, data) == (_A, socket.inet_aton("127.0.0.2"))
    assert [kind for kind, _ in asked(Zone(), "loop")] == [_CNAME]


@pytest.mark.parametrize(("name", "kind", "number"), [
    ("many", _A, 40), ("mapped", _AAAA, 1), ("mapped", _A, 0), ("nothing", _A, 0), ("else", _A, 0),
])  # fmt: skip
def test_only_what_was_asked_for_is_answered(name: str, kind: int, number: int) -> None:
    records = asked(Zone(), name, kind)
    assert len(records) == number
    assert all(found == kind for found, _ in records)
