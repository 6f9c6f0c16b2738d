"""Data, results and suites never run as code; the source itself is searched for what would."""

from __future__ import annotations

from pathlib import Path

import pytest
from dangerous_calls import OPENERS, calls, in_source, sources

from bench.errors import SpecError
from bench.yaml_marks import loads

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "dashboard", "methods", "datasets")

KNOWN = {
    ("bench/params.py", "eval()"): "the annotation of a plugin's parameter: the plugin is code",
    ("bench/registry.py", "spec.loader.exec_module()"): "a plugin is imported: it is code",
}
"""What may stay, and why."""


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], str]:
    """File and call -> both with the line, of all that is dangerous."""
    return {
        (place.file, place.what): f"{place.file}:{place.line}: {place.what}"
        for file, text in sources(ROOT, *FOLDERS)
        for place in in_source(text, file)
    }


def test_nothing_that_runs_what_it_reads_is_in_the_source(
    found: dict[tuple[str, str], str],
) -> None:
    assert [text for key, text in found.items() if key not in KNOWN] == []


def test_every_exception_is_still_needed(found: dict[tuple[str, str], str]) -> None:
    assert set(KNOWN) <= set(found)


def test_pages_of_the_dashboard_open_nothing_to_write() -> None:
    found = {file: calls(text, OPENERS) for file, text in sources(ROOT, "dashboard")}
    assert len(found) > 20
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("pickle.loads(data)", "pickle.loads"),
        ("read = pickle.Unpickler", "pickle.Unpickler"),
        ("from pickle import load", "pickle.load"),
        ("from joblib import load", "import joblib"),
        ("import tarfile", "import tarfile"),
        ("eval('1')", "eval()"),
        ("exec(text)", "exec()"),
        ("torch.load(f)", "torch.load() without weights_only=True"),
        ("torch.load(f, weights_only=False)", "torch.load() without weights_only=True"),
        ("torch.load(f, weights_only=asked)", "torch.load() without weights_only=True"),
        ("np.load(f, allow_pickle=True)", "allow_pickle"),
        ("np.load(f, allow_pickle=asked)", "allow_pickle"),
        ("yaml.load(f, Loader=yaml.Loader)", "yaml.load()"),
        ("yaml.unsafe_load(f)", "yaml.unsafe_load()"),
        ("archive.extractall(folder)", "archive.extractall()"),
        ("zipfile.ZipFile(f).extract(name)", "zipfile.ZipFile(f).extract()"),
        ("shutil.unpack_archive(f)", "shutil.unpack_archive()"),
        ("pd.read_pickle(f)", "pd.read_pickle()"),
        ("os.system('ls')", "os.system()"),
        ("subprocess.run(text, shell=True)", "shell="),
        ("st.markdown(text, unsafe_allow_html=True)", "unsafe_allow_html"),
        ("connection.enable_load_extension(True)", "connection.enable_load_extension()"),
    ],
)
def test_the_search_finds_what_it_looks_for(source: str, what: str) -> None:
    assert [found.what for found in in_source(source, "some.py")] == [what]


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(f, weights_only=True)",
        "np.load(f)",
        "np.load(f, allow_pickle=False)",
        "yaml.safe_load(f)",
        "json.load(f)",
        "import pickle\npickle.dumps(value)",
        "subprocess.run(words)",
        "network.eval()",
        "re.compile(text)",
    ],
)
def test_the_search_lets_the_safe_ones_pass(source: str) -> None:
    assert list(in_source(source, "some.py")) == []


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {marker}']",
        "suite: !!python/object/new:os.system ['touch {marker}']",
        "a: !!python/name:os.system",
    ],
)
def test_a_suite_that_asks_for_python_is_refused_and_runs_nothing(
    text: str, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(SpecError, match="not valid YAML"):
        loads(text.format(marker=marker), "suite.yaml")
    assert not marker.exists()


def test_what_is_trusted_and_what_is_checked_is_written_down() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for word in ("plugin", "pickle", "weights_only", "loopback", "db import", "issue"):
        assert word in text
    assert "@" not in text, "no address that nobody reads"
