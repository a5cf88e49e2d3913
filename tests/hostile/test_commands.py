"""Command lines that nobody means: names, numbers and files of every wrong kind end in a sentence."""

import http.client
import importlib.util
import json
from pathlib import Path

import pytest
from hostile import held, outgrow, refused

from outgrow.cli.check_plugin import check
from outgrow.experiment.live_page import Board, serve

LONG = "a" * 300
COMMANDS: list[tuple[str, str]] = [
    (f"show {LONG}", "File name too long"), ("show ~nosuchuser", "is not a run folder"), ("show .", "is not a run folder"),
    (f"plan {LONG}.yaml", "File name too long"), ("plan ~nosuchuser/x.yaml", "no such file"), ("plan .", "is a folder"),
    ("plan x.yaml --store ~nosuchuser/st", "no user of that name"), ("plan latin.yaml", "is not UTF-8"),
    ("plan x.yaml --threads 2147483648", "--threads"), ("plan x.yaml --jobs 1000000000", "--jobs"),
    ("plan x.yaml --threads 0", "--threads"), ("plan x.yaml --threads --5", "--threads"), ("plan x.yaml --jobs ²", "--jobs"),
    ("plan seeds-many.yaml", "at most 1,000 seeds"), ("plan seeds-large.yaml", "4294967295"),
    ("plan seeds-twice.yaml", "listed twice"), ("plan seeds-text.yaml", "seeds"), ("plan seeds-true.yaml", "seeds"),
    ("plan name-long.yaml", "at most 200 bytes"), ("plan name-escape.yaml", "no control characters"),
    ("plan name-slash.yaml", "no slashes"), ("plan rows-huge.yaml", "whole number"), ("plan home.yaml", "no user of that name"),
    ("plan long.yaml", "File name too long"), ("plan list.yaml", "is a mapping"), ("plan empty.yaml", "is a mapping"),
    ("prune --larger-than 100000000000000000000000000GB", "is not a size"), ("prune --larger-than ²GB", "is not a size"),
    ("prune --older-than 9999999999999999d", "is not a time"), ("prune --older-than -1d", "is not a time"),
    ("prune --older-than 1e9d", "is not a time"), ("prune --larger-than nanGB", "is not a size"), ("prune", "say what"),
    (f"report {LONG}", "File name too long"), ("report gone", "is not a run folder"), ("report . --out .", "is a folder"),
    (f"check {LONG}.py:X", "File name too long"), ("check gone.py:X", "there is no file"), ("check x", "path/to/file.py"),
    ("check latin.yaml:X", "path/to/file.py"), ("predict gone rows.csv -o out.csv", "there is no such folder"),
    ("predict . rows.csv -o out.csv", "no student.json"), (f"predict {LONG} rows.csv -o o.csv", "File name too long"),
    ("score --accuracies list.jsonl", "list.jsonl"), ("score --accuracies odd.csv", "odd.csv"),
    ("score --accuracies signs.csv", "signs.csv"), ("score --accuracies digits.csv", "digits.csv"),
    ("score --accuracies nan.csv", "nan.csv"), ("score --folder .", "."), ("score --weak rows.csv", "--student"),
    ("score --weak list.jsonl --student list.jsonl", "list.jsonl"), ("list nothing", "no list of"),
    ("teach rows.csv --text text --label label --out s --student {a", "--student"),
    ("teach rows.csv --text text --label label --out s --seed 99999999999", "--seed"),
    ("teach gone.csv --text text --label label --out s", "no such file"),
    ("teach scores.csv --text text --label label --out s", "scores, not classes"),
    ("teach many.csv --text text --label label --out s", "classes are allowed"),
    ("teach lists.csv --text text --label label --out s", "lists written as text"),
    ("teach abstain.csv --text text --label label --out s", "leave those cells blank"),
    ("new method none.py", "means something else"), ("new method true.py", "means something else"),
    ("new method _.py", "not the name of a Python module"), ("new method _1.py", "not the name of a Python module"),
    ("new model fitted.py", "means something else"), ("new task range.py", "means something else"),
    ("new task RawTask.py", "means something else"), ("new task class.py", "not the name of a Python module"),
    ("new method __init__.py", "not the name of a Python module"), ("new method x.txt", "not the name of a Python module"),
    ("new method 1x.py", "not the name of a Python module"), (f"new method {LONG}.py", "File name too long"),
    ("new thing x.py", "no example of"), ("new method taken.py", "exists already"),
]  # fmt: skip
YAML = """
tasks: [{name: t, file: rows.csv, text: text, label: label}]
weak: [{static: wordllama, rows: 4}]
strong: [static:wordllama]
methods: [naive]
split: {weak_train: 4, transfer: 4, validation: 4, test: 4}
"""
FILES = {
    "seeds-many.yaml": YAML + "seeds: 1000000000",
    "seeds-large.yaml": YAML + "seeds: [9223372036854775808]",
    "seeds-twice.yaml": YAML + "seeds: [1, 1]",
    "seeds-text.yaml": YAML + "seeds: 2024-13-45",
    "seeds-true.yaml": YAML + "seeds: true",
    "name-long.yaml": YAML + f"name: {LONG}",
    "name-escape.yaml": YAML + 'name: "\\e[31m"',
    "name-slash.yaml": YAML + "name: ../x",
    "rows-huge.yaml": YAML.replace("weak_train: 4", "weak_train: 99999999999999999999999"),
    "home.yaml": YAML.replace("rows.csv", "~nosuchuser/x.csv"),
    "long.yaml": YAML.replace("rows.csv", f"{LONG}.csv"),
    "list.yaml": "- a",
    "empty.yaml": "",
    "x.yaml": YAML,
    "rows.csv": "text,label\na,x\nb,y\n",
    "list.jsonl": json.dumps({"seed": [0], "weak": [1], "student": {"a": 1}, "ceiling": None, "id": [1], "label": [1]}),
    "odd.csv": "seed,weak,student,ceiling\n--5,0.5,0.6,0.7\n",
    "signs.csv": "seed,weak,student,ceiling\n²,0.5,0.6,0.7\n",
    "digits.csv": f"seed,weak,student,ceiling\n{'9' * 5000},0.5,0.6,0.7\n",
    "nan.csv": "seed,weak,student,ceiling\n0,nan,inf,1e999\n",
    "scores.csv": "text,label\n" + "".join(f"text {n},0.{n:03}\n" for n in range(1, 90)),
    "many.csv": "text,label\n" + "".join(f"text {n},c{n % 300}\n" for n in range(900)),
    "lists.csv": "text,label\n" + "".join(f"text {n},\"['a{n % 2}']\"\n" for n in range(20)),
    "abstain.csv": "text,label\n" + "".join(f"text {n},{n % 3 - 1}\n" for n in range(30)),
    "taken.py": "",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    return folder


@pytest.mark.parametrize(("line", "sentence"), COMMANDS, ids=[line[:60] for line, _ in COMMANDS])
def test_a_sentence(place: Path, monkeypatch: pytest.MonkeyPatch, line: str, sentence: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("HOME", str(place / "home"))
    refused(outgrow(*line.split(" "), cwd=place), sentence)
    assert not (place / "s").exists()


PLUGINS = [
    ("exit.py", "import sys; sys.exit(0)", "calls sys.exit(0)"),
    ("quit.py", "raise SystemExit", "calls sys.exit()"),
    ("stop.py", "raise KeyboardInterrupt", "raises KeyboardInterrupt"),
    ("none.py", "def A(*a): pass", "returns NoneType, not a RawTask"),
    ("late.py", "import sys\ndef A(): sys.exit(3)", "calls sys.exit(3)"),
    ("number.py", "A = 5", "is neither a task"),
    ("gone.py", "", "has no 'A'"),
]


@pytest.mark.parametrize(("name", "code", "sentence"), PLUGINS, ids=[case[0] for case in PLUGINS])
def test_plug_ins_that_end_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str, sentence: str
) -> None:
    import signal

    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)  # as the command line sets it
    (tmp_path / name).write_text(code)
    refused(outgrow("check", f"{name}:A", cwd=tmp_path), sentence)


@pytest.mark.parametrize("name", ["hash_it.py", "a.py", "match.py", "my_none.py", "x1.py"])
@pytest.mark.parametrize("kind", ["task"])
def test_what_new_writes_passes_its_check(tmp_path: Path, kind: str, name: str) -> None:
    held(outgrow("new", kind, name, cwd=tmp_path))
    if (tmp_path / name).is_file():
        assert check(f"{tmp_path / name}:{name.removesuffix('.py')}")
        assert importlib.util.spec_from_file_location("x", tmp_path / name) is not None


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_the_watch_page_answers_other_methods_as_a_wrong_address(method: str) -> None:
    with serve(Board("x")) as address:
        host, _, path = address.removeprefix("http://").partition("/")
        answers = []
        for verb, target in ((method, f"/{path}"), (method, "/"), ("GET", "/wrong")):
            connection = http.client.HTTPConnection(host, timeout=10)
            connection.request(verb, target)
            found = connection.getresponse()
            answers.append((found.status, found.read(), found.headers["Content-Type"]))
            connection.close()
    body = b"" if method == "HEAD" else b"not found\n"
    assert answers[0] == answers[1] == (404, body, answers[2][2])
    assert answers[2][:2] == (404, b"not found\n")
