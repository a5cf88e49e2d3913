"""A page that follows a run: what it shows while steps are made, and whom it answers."""

import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import Opened, chromium

from outgrow.execution.execute import execute
from outgrow.execution.machine import Machine
from outgrow.execution.progress import Silent
from outgrow.execution.store import Store
from outgrow.experiment.live_page import Board, Listening, serve
from outgrow.experiment.pipeline import prepare, run
from outgrow.experiment.spec.schema import Experiment
from outgrow.tasks.sentiment import sentiment


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    raw = sentiment()
    folder = tmp_path_factory.mktemp("watch")
    lines = [
        "text,label",
        *(
            f'"{text}",{label}'.replace("\n", " ")
            for text, label in zip(raw.inputs, raw.labels, strict=True)
            if '"' not in text
        ),
    ]
    (folder / "reviews.csv").write_text("\n".join(lines[:301]), encoding="utf-8")
    return Experiment.model_validate(
        {
            "name": "watched",
            "tasks": [{"file": str(folder / "reviews.csv"), "text": "text", "label": "label"}],
            "weak": [{"static": "wordllama", "rows": 40}],
            "strong": ["static:wordllama"],
            "methods": ["naive", "confidence"],
            "seeds": [0, 1],
            "split": {"weak_train": 80, "transfer": 80, "test": 100},
        }
    )


@pytest.fixture
def served() -> Iterator[tuple[Board, str]]:
    board = Board("watched")
    with serve(board) as address:
        yield board, address


def ask(address: str, path: str | None = None, method: str = "GET", **headers: str) -> tuple[int, HTTPResponse, bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    connection.putrequest(method, path or parts.path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer, content


def test_nobody_else_is_answered(served: tuple[Board, str]) -> None:
    _, address = served
    parts = urlsplit(address)
    assert parts.hostname == "127.0.0.1"
    assert len(parts.path) > 30
    assert ask(address)[0] == 200
    assert ask(address, Host=f"localhost:{parts.port}")[0] == 200
    wrong = [
        "/",
        parts.path[:-1],
        parts.path + "x",
        parts.path.swapcase(),
        "/report.html",
        parts.path + "?a=1",
        "/../etc/passwd",
        "/%C3%A9",
    ]
    for path in wrong:
        status, _, content = ask(address, path)
        assert (status, content) == (404, b"not found\n"), path
    for host in ("evil.example", f"evil.example:{parts.port}", "127.0.0.1", f"127.0.0.1:{parts.port}.evil.example", ""):
        assert ask(address, Host=host)[0] == 404, host
    assert ask(address, method="POST")[0] == 404
    _, answer, _ = ask(address)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Server"].strip() == "outgrow"


def test_unchanged_is_said_in_a_word(served: tuple[Board, str]) -> None:
    board, address = served
    _, answer, content = ask(address)
    assert b"the experiment is being prepared" in content
    assert ask(address, If_None_Match=answer.headers["ETag"])[::2] == (304, b"")
    board.steps = (3, 10)
    board._not_before = float("-inf")
    status, _, content = ask(address, If_None_Match=answer.headers["ETag"])
    assert status == 200
    assert "3 of 10 steps are made" in " ".join(content.decode().split())


@pytest.mark.slow
def test_finished_cells_appear_and_the_rest_are_pending(
    served: tuple[Board, str], experiment: Experiment, tmp_path: Path
) -> None:
    board, address = served
    store = Store(tmp_path / "store")
    machine = Machine(1, 1, "cpu")
    planned = prepare(experiment, store, machine)
    display = Listening(board, Silent())
    board.planned(planned, store)

    def page() -> str:
        board._not_before = float("-inf")
        return ask(address)[2].decode()

    def pending(text: str) -> list[str]:
        return re.findall(r"pending: (\d of \d) seeds", text)

    def make(runs: list[int]) -> None:
        wanted = [planned.runs[number] for number in runs]
        steps = [
            step for one in wanted for step in (one.pool, one.split, one.supervisor, one.student, one.ceiling) if step
        ]
        execute(steps, store, machine, planned.sources, display)

    assert pending(page()) == ["0 of 2", "0 of 2"]
    with chromium() as browser:
        shown = Opened(browser, address)
        assert shown.page.locator("tr.pending").count() == 2
        make([0])
        assert pending(page()) == ["1 of 2", "0 of 2"]
        make([1])
        shown.page.locator("tr[data-cell]").first.wait_for()
        shown.page.fill("#filter-text", "na")
        shown.page.fill("#example-text", "the")
        assert pending(page()) == ["0 of 2"]
        make([2])
        board._not_before = float("-inf")
        shown.page.get_by_text("pending: 1 of 2 seeds").wait_for(state="attached")
        assert shown.page.locator("#filter-text").input_value() == "na"
        assert shown.page.locator("#example-text").input_value() == "the"
        assert shown.page.locator("#figure-pgr, #figure-accuracy").first.is_visible()
        ending = threading.Thread(target=_end, args=(experiment, store, tmp_path, board))
        ending.start()
        shown.page.wait_for_selector("html:not([data-live])", state="attached", timeout=60_000)
        ending.join()
        assert shown.page.locator("tr[data-cell]").count() == 2
        assert shown.page.locator("tr.pending, .live").count() == 0
        assert shown.page.locator("#filter-text").input_value() == "na"
        shown.close()
    assert page() == (tmp_path / "out" / "report.html").read_text(encoding="utf-8").replace(
        "<h1><bdi>out", "<h1><bdi>out"
    )


def test_a_cell_is_shown_when_its_curve_and_controls_are_made_too(
    served: tuple[Board, str], experiment: Experiment, tmp_path: Path
) -> None:
    board, address = served
    more = experiment.model_copy(update={"controls": True, "label_curve": True, "seeds": [0]})
    store, machine = Store(tmp_path / "store"), Machine(1, 1, "cpu")
    plan = prepare(more, store, machine)
    board.planned(plan, store)
    main = [step for run in plan.runs for step in (run.supervisor, run.student, run.ceiling) if step]
    for steps, cells in ((main, 0), (plan.wanted, 2)):
        execute(steps, store, machine, plan.sources)
        board._not_before = float("-inf")
        status, _, content = ask(address)
        assert status == 200
        assert (content.count(b"data-cell="), content.count(b'class="pending"')) == (cells, 2 - cells)


def _end(experiment: Experiment, store: Store, folder: Path, board: Board) -> None:
    run(experiment, store=store, out=folder / "out", machine=Machine(1, 1, "cpu"), observer=board)


@pytest.mark.slow
def test_a_closed_browser_stops_nothing(served: tuple[Board, str], experiment: Experiment, tmp_path: Path) -> None:
    board, address = served
    with chromium() as browser:
        Opened(browser, address).close()
    assert (
        len(
            run(
                experiment, store=tmp_path / "store", out=tmp_path / "out", machine=Machine(1, 1, "cpu"), observer=board
            ).cells
        )
        == 2
    )
    assert (tmp_path / "out" / "report.html").stat().st_size > 500_000
