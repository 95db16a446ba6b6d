"""The documentation holds together: links lead somewhere, named files exist, and it cites no requirement ids."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
PAGES = [file for file in FILES if file.endswith(".md") and file.startswith(("docs/", "README", "CHANGELOG"))]
# History: what they name may be gone since.
PRESENT = [page for page in PAGES if page not in ("CHANGELOG.md", "docs/decisions.md")]
PRODUCT = ("layers/", "functions/", "emr/", "local/", "stepfunctions/", "infrastructure/", "channels/", "template.yaml")

# What code is imported from: a path may be named from there.
BASES = ("", "layers/creditmesh/src/creditmesh/", "functions/", "local/", "emr/")

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
CITED = re.compile(r"(?:[(;] ?|[Rr]equirements? )[CEGJMS](?:0[1-9]|[123]\d)(?=[-–,;) .]|$)")


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: str) -> set[str]:
    """The anchors that GitHub and MyST give a page's headings."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(CODE.sub("", text(page)))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def lost(page: str) -> Iterator[str]:
    for link in LINK.findall(CODE.sub("", text(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(str(target.relative_to(ROOT)))):
            yield link


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    assert list(lost(page)) == []


@pytest.mark.parametrize("page", PRESENT)
def test_named_files_exist(page):
    """Also those named from a folder that code is imported from, such as `intake/service.py`."""
    known = {str(parent) for file in FILES for parent in Path(file).parents} | set(FILES)
    tops = {part.partition("/")[0] for base in BASES for part in under(base, known)} - {"."}
    named = {path.rstrip("/") for path in NAMED.findall(text(page)) if path.partition("/")[0] in tops}
    assert {path for path in named if not any(base + path in known for base in BASES)} == set()


def under(base: str, known: set[str]) -> set[str]:
    return {path.removeprefix(base) for path in known if path.startswith(base)}


@pytest.mark.parametrize(("page", "process"), [
    ("docs/reference/origination.md", "loan_origination"),
    ("docs/how-to/extract-key-data.md", "key_data_extraction"),
])  # fmt: skip
def test_diagrams_name_states_of_the_process(page, process):
    diagram = re.search(r"```mermaid\n(.*?)```", text(page), re.DOTALL)[1]
    named = set(re.findall(r"\b[A-Z]\w+", re.sub(r":.*", "", diagram)))
    assert named <= set(yaml.safe_load(text(f"stepfunctions/{process}.asl.yaml"))["States"])


def test_every_page_is_in_the_index():
    listed = {f"docs/{line}.md" for line in text("docs/index.md").splitlines() if re.fullmatch(r"[\w/-]+", line)}
    assert listed == {page for page in PAGES if page.startswith("docs/")} - {"docs/index.md"}


def test_public_texts_cite_no_requirement_ids():
    """They mean something in tests and commits only, beside the list that they come from."""
    files = [file for file in FILES if file in PAGES or file.startswith(PRODUCT)]
    cited = {file: found for file in files if (found := CITED.findall(text(file)))}
    assert cited == {}
