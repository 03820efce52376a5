"""The page: one file, whatever its texts are; looked at in a real browser."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ndjson_pipeline.day_report.drawn import plots_of
from ndjson_pipeline.day_report.figures import Day
from ndjson_pipeline.day_report.judgement import judge
from ndjson_pipeline.day_report.page import MARK, PageError, check_place, render, write_page
from ndjson_pipeline.day_report.plots import rows
from ndjson_pipeline_tests.browser import browser
from ndjson_pipeline_tests.pipeline.day_report.days import BEGIN, broken_day, good_day, hostile_day
from ndjson_pipeline_tests.pipeline.harness import DATE

DAYS = {
    "good": good_day,
    "broken": broken_day,
    "hostile": hostile_day,
    "empty": lambda: Day(DATE, BEGIN + timedelta(hours=1)),
}
CONTRAST = """
() => [...document.querySelectorAll("p, dt, dd, td, li, h1, h2, summary, footer, code, a")].map(element => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let back = element;
  const isClear = element => /rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(element).backgroundColor);
  while (back && isClear(back)) back = back.parentElement;
  const a = light(rgb(getComputedStyle(element).color));
  const b = light(rgb(getComputedStyle(back || document.body).backgroundColor));
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.slice(0, 40)];
}).filter(([ratio]) => ratio < 4.5)
"""


def page_of(day: Day) -> str:
    return render(day, judge(day, timedelta(0)))


class Elements(HTMLParser):
    """Notes the elements of a page and where they point."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "srcset", "data"}:
                self.targets.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("good", 360, "light"),
        ("good", 1280, "dark"),
        ("broken", 360, "dark"),
        ("broken", 1280, "light"),
        ("hostile", 360, "light"),
        ("hostile", 1280, "light"),
        ("empty", 360, "dark"),
    ],
)
def test_it_fits_the_screen_loads_nothing_and_can_be_read(
    chromium: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    place = tmp_path / "day.html"
    write_page(place, page_of(DAYS[name]()), force=False)
    requests: list[str] = []
    said: list[str] = []
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(place.as_uri())
        for opened in page.query_selector_all("summary"):
            opened.click()
        assert requests == [place.as_uri()]
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
        for svg in page.query_selector_all("svg"):
            assert svg.get_attribute("role") == "img"
            assert svg.query_selector("title") is not None
            assert svg.query_selector("desc") is not None
    finally:
        page.close()


@pytest.mark.parametrize("name", DAYS)
def test_it_needs_nothing_from_elsewhere(name: str) -> None:
    text = page_of(DAYS[name]())
    elements = Elements()
    elements.feed(text)
    assert not elements.tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert elements.handlers == []
    assert all(target == "data:," or target.startswith("https://") for target in elements.targets)
    assert "@import" not in text
    assert "url(" not in text
    assert "viewport" in text
    assert "prefers-color-scheme" in text


def test_hostile_texts_are_shown_as_what_they_are() -> None:
    text = page_of(hostile_day())
    for raw in ("\x00", "\x1b", "\x07", "\u202e", "\u2066", "<script", "<img"):
        assert raw not in text
    assert "&lt;script&gt;" in text
    assert "{{ 7 * 7 }}" in text
    assert "49" not in re.findall(r">\s*49\s*<", text)
    assert "x" * 1_000 not in text
    assert r"\u202egnp.exe" in text
    assert len(text) < 400_000


def test_what_nobody_knows_is_not_zero() -> None:
    day = Day(DATE, BEGIN + timedelta(days=300), may_be_gone=True)
    text = page_of(day)
    assert "unknown" in text
    assert ">0<" not in text


def test_each_plot_says_in_a_sentence_what_it_shows() -> None:
    drawn = plots_of(good_day())
    assert {plot.name for plot in drawn} == {
        "arrivals",
        "backlog",
        "records",
        "latency",
        "refused",
        "rejected",
        "rescued",
        "cost",
    }
    for plot in drawn:
        assert plot.summary.endswith(".")
        assert plot.rows
        for bar in plot.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= 360.01
            assert 0 <= bar.y <= bar.y + bar.height <= plot.height
        for x, y in plot.area:
            assert 0 <= x <= 360
            assert 0 <= y <= plot.height


@pytest.mark.parametrize("text", ["short", "x" * 500, "界" * 500, "\u202e" * 500, ""])
def test_a_label_leaves_room_for_its_number(text: str) -> None:
    drawn = rows("name", "title", "summary.", [(text, 3.0, "123,456")])
    label, number = drawn.labels
    assert number.text == "123,456"
    width = sum(11.5 if letter == "界" else 6.4 for letter in label.text)
    assert width < 360 - 7 * 6.4
    assert label.text == text or label.text.endswith("…")


def test_a_page_is_written_whole_and_over_another_page_alone(tmp_path: Path) -> None:
    place = tmp_path / "day.html"
    write_page(place, f"{MARK} first", force=False)
    write_page(place, f"{MARK} second", force=False)
    assert place.read_text() == f"{MARK} second"
    place.write_text("my own notes")
    with pytest.raises(PageError, match="--force"):
        write_page(place, "third", force=False)
    assert place.read_text() == "my own notes"
    write_page(place, "third", force=True)
    assert place.read_text() == "third"
    assert [path.name for path in tmp_path.iterdir()] == ["day.html"]


def test_a_place_that_can_t_be_written_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PageError, match="is a folder"):
        check_place(tmp_path, force=True)
    with pytest.raises(PageError, match="there is no folder"):
        check_place(tmp_path / "absent" / "day.html", force=True)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(PageError, match="No space left"):
        write_page(tmp_path / "day.html", "text", force=False)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.html").write_text(MARK)
    link = tmp_path / "latest.html"
    link.symlink_to(tmp_path / "real.html")
    write_page(link, f"{MARK} new", force=False)
    assert link.is_symlink()
    assert (tmp_path / "real.html").read_text() == f"{MARK} new"
