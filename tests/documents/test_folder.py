"""Which folder and which files: nothing leads out, and every mistake is named."""

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.documents import documents_folder, label_folders
from server.errors import BadRequest


@pytest.fixture
def root(tmp_path):
    """documents/ with set/cv, set/letter and a folder inside; secret/ beside documents/."""
    for label in ("cv", "letter"):
        folder = tmp_path / "documents" / "set" / label
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{number}.txt").write_text("text")
    (tmp_path / "secret" / "cv").mkdir(parents=True)
    return tmp_path / "documents"


@pytest.mark.parametrize("path", ["set", "set/", "./set", "set/cv", "set//cv", "."])
def test_a_folder_below_is_found(root, path):
    assert documents_folder(root, path) == (root / path).resolve()


@pytest.mark.parametrize(
    "path",
    ["..", "../secret", "set/../../secret", "set/..", "/etc", "//etc", "~", "~root", "C:\\", "c:/windows", "..\\secret",
     "set\\..\\..\\secret", "set\0", "", " ", "%2e%2e/secret", "%2E%2E%2Fsecret", "%252e%252e%252fsecret", "%2fetc",
     "..%00", "%5c..%5c", "%7e", "set/%2e%2e/%2e%2e/secret", None, 5, ["set"]],
)  # fmt: skip
def test_no_spelling_leads_out(root, path):
    with pytest.raises(BadRequest, match="^path ") as caught:
        documents_folder(root, path)
    assert [problem.pointer for problem in caught.value.problems] == ["/path"]


def test_neither_does_a_link_at_any_level(root):
    (root / "link").symlink_to(root.parent / "secret")
    (root / "set" / "up").symlink_to("../..")
    for path in ("link", "link/cv", "set/up", "set/up/secret"):
        with pytest.raises(BadRequest, match="leads out of the folder of documents by a link"):
            documents_folder(root, path)


def test_links_within_are_followed_and_the_root_may_be_one(root):
    (root / "same").symlink_to("set")
    (root.parent / "here").symlink_to(root)
    assert documents_folder(root.parent / "here", "same") == (root / "set").resolve()


@pytest.mark.parametrize("path", ["absent", "set/cv/0.txt", "x" * 300, "a/" * 3000, "set\n", "\ud800", "%", "%zz"])
def test_what_is_no_folder_is_refused(root, path):
    with pytest.raises(BadRequest, match="is no folder of documents"):
        documents_folder(root, path)


def test_links_in_a_ring_are_no_folder(root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(BadRequest, match="is no folder"):
        documents_folder(root, "a")


def test_the_nearest_folder_is_told(root):
    with pytest.raises(BadRequest, match="did you mean 'set'"):
        documents_folder(root, "sett")


@given(
    st.lists(st.sampled_from(["..", ".", "/", "\\", "~", "C:", "set", "\0", "%", "secret"]), max_size=6),
    st.integers(0, 3),
)
def test_no_combination_leads_out(tmp_path_factory, parts, times):
    root = tmp_path_factory.getbasetemp() / "property" / "documents"
    (root / "set").mkdir(parents=True, exist_ok=True)
    (root.parent / "secret").mkdir(exist_ok=True)
    path = "/".join(parts)
    for _ in range(times):
        path = quote(path, safe="")
    try:
        folder = documents_folder(root, path)
    except BadRequest:
        return
    assert folder.is_relative_to(root.resolve())
    assert folder.is_dir()


def test_the_files_of_each_label_are_listed_in_order(root):
    folder = root / "set"
    (folder / "cv" / ".DS_Store").write_bytes(b"x")
    (folder / "cv" / "picture.png").write_bytes(b"x")
    (folder / "cv" / "deeper").mkdir()
    (folder / "cv" / "deeper" / "3.txt").write_text("text")
    found = label_folders(folder, ["letter", "cv"], 3)
    assert list(found) == ["letter", "cv"]
    assert [path.name for path in found["cv"]] == ["0.txt", "1.txt", "2.txt", "picture.png"]


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        ([], {"/labels": "labels: two or more are needed, and there are 0"}),
        (["cv"], {"/labels": "labels: two or more are needed, and there are 1"}),
        (["cv", "cv"], {"/labels/1": "label 'cv' stands there twice"}),
        (["cv", " "], {"/labels/1": "a label is empty; each names a folder"}),
        (["cv", 3, None], {"/labels/1": "label 3 is not text", "/labels/2": "label None is not text"}),
        (["cv", ".."], {"/labels/1": "label '..' leads out; it is the name of one folder"}),
        (["cv", "../set/letter"], {"/labels/1": "label '../set/letter' leads out; it is the name of one folder"}),
        (["cv", "a\\b"], {"/labels/1": "label 'a\\\\b' leads out; it is the name of one folder"}),
        (["cv", "leter"], {"/labels/1": "label 'leter' has no folder; did you mean 'letter'?"}),
        (["cv", "x" * 300], {"/labels/1": f"label '{'x' * 300}' has no folder that can be read"}),
        (["cv", "%2e%2e"], {"/labels/1": "label '%2e%2e' has no folder"}),
    ],
)
def test_every_wrong_label_is_named(root, labels, wrong):
    with pytest.raises(BadRequest) as caught:
        label_folders(root / "set", labels, 1)
    assert {problem.pointer: problem.detail for problem in caught.value.problems} == wrong


def test_a_label_that_is_a_link_leading_out_is_refused(root):
    (root / "set" / "out").symlink_to(root.parent / "secret")
    with pytest.raises(BadRequest, match="label 'out' leads out of the folder of documents by a link"):
        label_folders(root / "set", ["cv", "out"], 0)


def test_too_few_documents_are_counted_without_other_formats_links_leading_out_and_pipes(root):
    (root / "set" / "cv" / "picture.png").write_bytes(b"x")
    (root / "set" / "cv" / "out.txt").symlink_to(root.parent / "secret")
    (root / "set" / "cv" / "away.txt").symlink_to("/etc/hostname")
    (root / "set" / "cv" / "ring.txt").symlink_to(root / "set" / "cv" / "ring.txt")
    os.mkfifo(root / "set" / "cv" / "pipe.txt")
    with pytest.raises(BadRequest) as caught:
        label_folders(root / "set", ["cv", "letter"], 4)
    assert caught.value.detail == "label 'cv' has 3 documents; 4 are needed (min_size_label) (and 1 more)"


def test_a_folder_that_may_not_be_read_has_its_own_sentence(root, monkeypatch):
    def forbidden(self: Path):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(BadRequest, match="label 'cv' has no folder that can be read"):
        label_folders(root / "set", ["cv", "letter"], 1)
