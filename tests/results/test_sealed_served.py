"""`outgrow score --sealed --serve`, a process of its own: who is answered, what a file of answers gets, what is counted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import bad, outgrow
from sealed_parts import SEEDS, N, answers, sealed

from outgrow.core.files.tables import read_table
from outgrow.results.sealed import ledger
from outgrow.results.sealed.envelope import Envelope
from outgrow.results.sealed.serve import LARGEST
from outgrow.results.sealed.submit import submit


@contextmanager
def process(key: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "outgrow", "score", "--sealed", str(key), "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            first = running.stdout.readline()
            assert "until Ctrl-C; the ledger has" in first, running.stderr.read() if running.stderr else ""
            yield first.split()[4], running
        finally:
            running.kill()


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Envelope]:
    folder = tmp_path_factory.mktemp("sealed") / "key"
    return folder, sealed(folder)


@pytest.fixture(scope="module")
def address(part: tuple[Path, Envelope]) -> Iterator[str]:
    with process(part[0]) as (found, _):
        yield found


def ask(address: str, body: bytes | None = None, method: str | None = None, **headers: str) -> tuple[int, Any]:
    request = Request(address, body, {name.replace("_", "-"): value for name, value in headers.items()}, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read()) if method != "HEAD" else None


def count(part: tuple[Path, Envelope]) -> int:
    return len(ledger.read(part[0], part[1].hash).lines)


def test_answers_in_every_form_get_what_the_command_says(
    part: tuple[Path, Envelope], address: str, tmp_path: Path
) -> None:
    key, envelope = part
    file = answers(tmp_path / "a.csv", envelope)
    before = count(part)
    status, found = ask(address, file.read_bytes())
    assert status == 200
    assert (found["submission"], found["again"], count(part)) == (before + 1, False, before + 1)
    assert found["this"]["pgr"]["status"] == "ok"
    table = read_table(file, [])
    assert table is not None
    rows = [dict(zip(table.columns, values, strict=True)) for values in zip(*table.columns.values(), strict=True)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for body in ((tmp_path / "a.parquet").read_bytes(), "\n".join(map(json.dumps, rows)).encode()):
        again = ask(address, body)
        assert again == (200, {**found, "again": True})
    assert submit(key, file) == {**found, "again": True}


def test_answers_with_faults_are_sentences_and_not_counted(
    part: tuple[Path, Envelope], address: str, tmp_path: Path
) -> None:
    whole = answers(tmp_path / "a.csv", part[1], seed=1).read_text()
    lines = whole.splitlines()
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.table({"seed": [0]}), parquet)
    before = count(part)
    cases = [
        ("\n".join(lines[:-2]), f"answers.csv: 2 of {N * len(SEEDS)} answers are missing"),
        ("\n".join([*lines, "0,9999,pos"]), "answers.csv, line 602: holds an id that the test inputs do not have"),
        ("seed,id,answer\n0,1,2", "has no column 'label'"),
        ("", "answers.csv"),
        ("[1, 2]", "answers.jsonl"),
        ('{"seed": ', "answers.jsonl"),
        (parquet.read_bytes(), "answers.parquet: has no column 'id'"),
        (b"PAR1" + bytes(range(256)), "answers.parquet"),
        (b"\x00\xff\xfe" * 50, "answers.csv"),
        (b"\x1f\x8b" + bytes(range(200)), "answers.csv"),
    ]
    for body, sentence in cases:
        status, found = ask(address, body.encode() if isinstance(body, str) else body)
        assert status == 422, (body[:20], found)
        said = " ".join(found["problems"])
        assert sentence in said, said
        assert "/tmp" not in said, said
    many = "\n".join([lines[0], *(f"7,{n},maybe" for n in range(5000))])
    assert len(ask(address, many.encode())[1]["problems"]) <= 21
    assert count(part) == before


def test_nobody_else_is_answered(part: tuple[Path, Envelope], address: str, tmp_path: Path) -> None:
    parts = urlsplit(address)
    assert parts.hostname == "127.0.0.1"
    assert len(parts.path) > 30
    body = answers(tmp_path / "a.csv", part[1], seed=2).read_bytes()
    before = count(part)
    root = f"http://127.0.0.1:{parts.port}"
    for path in ("/", parts.path[:-1], parts.path.swapcase(), parts.path + "?a=1", "/sealed.json", "/%C3%A9"):
        for method in ("POST", "GET"):
            status, found = ask(root + path, body if method == "POST" else None, method)
            assert (status, list(found)) == (403, ["schema", "problems"]), path
            assert "no such token" in found["problems"][0]
    for host in ("evil.example", f"evil.example:{parts.port}", "127.0.0.1"):
        assert ask(address, body, Host=host)[0] == 403, host
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, found = ask(address, None, method)
        assert status == 405, method
        assert found is None or "answers are handed in by POST" in found["problems"][0]
    assert count(part) == before
    assert ask(f"http://localhost:{parts.port}{parts.path}", body)[0] == 200


def raw(address: str, sent: bytes, *, end: bool = True) -> bytes:
    """What comes back for these bytes; end: nothing more is sent."""
    parts = urlsplit(address)
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=60) as line:
        line.sendall(sent.replace(b"PATH", parts.path.encode()).replace(b"HOST", parts.netloc.encode()))
        if end:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        while more := line.recv(1 << 16):
            answer += more
    return answer


def test_bodies_that_cannot_be_taken_have_their_status(part: tuple[Path, Envelope], address: str) -> None:
    head = b"POST PATH HTTP/1.1\r\nHost: HOST\r\n"
    before = count(part)
    assert b" 411 " in raw(address, head + b"\r\n").splitlines()[0]
    assert b" 411 " in raw(address, head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").splitlines()[0]
    assert b" 411 " in raw(address, head + b"Content-Length: -1\r\n\r\n").splitlines()[0]
    assert b" 413 " in raw(address, head + b"Content-Length: 99999999999999999999\r\n\r\n").splitlines()[0]
    cut = raw(address, head + b"Content-Length: 1000\r\n\r\nseed,id,label\n")
    assert b" 400 " in cut.splitlines()[0]
    assert b"ended before its Content-Length" in cut
    assert b" 403 " in raw(address, b"nonsense\r\n\r\n").splitlines()[0]
    status, found = ask(address, b"x" * (LARGEST + 1))
    assert status == 413
    assert found["problems"] == ["the answers are larger than 64 MiB: send `seed`, `id` and `label` alone"]
    assert count(part) == before


def test_many_at_once_are_all_counted_and_a_kill_loses_none(tmp_path: Path) -> None:
    key = tmp_path / "key"
    envelope = sealed(key)
    files = [answers(tmp_path / f"a{i}.csv", envelope, 0.7, i).read_bytes() for i in range(5)]
    with process(key) as (where, running):
        with ThreadPoolExecutor(5) as pool:
            found = list(pool.map(lambda body: ask(where, body), files))
        assert sorted(one["submission"] for _, one in found) == [1, 2, 3, 4, 5]
        running.kill()
    with process(key) as (other, running):
        assert urlsplit(other).path != urlsplit(where).path
        status, again = ask(other, files[2])
        assert (status, again["again"], again["submissions"]) == (200, True, 5)
        (key / ledger.LINES).write_text("{}\n")
        status, broken = ask(other, files[0])
        assert status == 500
        assert broken["problems"][0].startswith("sealed/ledger.jsonl, line 1: the ledger of submissions was changed")
        started = time.monotonic()
        running.send_signal(signal.SIGINT)
        out, error = running.communicate(timeout=30)
        assert running.returncode == 0
        assert time.monotonic() - started < 20
        assert f"Submission {found[2][1]['submission']} of 5" in out
        assert error == "no more answers are taken; the ledger has all that were scored\n"
    bad(outgrow("score", "--sealed", key, "--serve", cwd=tmp_path), 1, "the ledger of submissions was changed")


def test_what_does_not_go_with_serve_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("seed,id,label\n")
    for words in (["--serve"], ["a.csv", "--sealed", "key", "--serve"], ["--sealed", "key", "--serve", "--json"]):
        bad(outgrow("score", *words, cwd=tmp_path), 2, "--serve goes with --sealed alone")
    bad(
        outgrow("score", "--sealed", tmp_path, "--serve", cwd=tmp_path), 1, "--sealed names the folder that --key wrote"
    )
    assert set(os.listdir(tmp_path)) <= {"a.csv", "cache"}
