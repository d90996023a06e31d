"""A model file is known before it is unpickled: by whom it was written, and that nothing has changed since."""

import joblib
import pytest

from server.errors import ModelUnreadable
from server.storage.model_store import ModelStore, read_facts, seal
from server.storage.trust import ANY, TAIL, Trust

FACTS = {"run": "1", "class": "KMeans"}
SECRET, OTHER = b"a secret of this server", b"another server's secret"


@pytest.fixture
def signed(tmp_path):
    """A file of this trust, sealed and signed."""

    def make(trust):
        path = tmp_path / "model.pkl"
        joblib.dump({"weights": list(range(1000))}, path)
        seal(path, FACTS)
        trust.sign(path)
        return path

    return make


def load(trust, path):
    with trust.opened(path) as file:
        return joblib.load(file)


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("only_own", [True, False])
def test_what_was_signed_is_read_and_keeps_its_facts(signed, secret, only_own):
    trust = Trust(only_own, secret)
    path = signed(trust)
    assert load(trust, path) == joblib.load(path) == {"weights": list(range(1000))}
    assert read_facts(path) == FACTS == ModelStore(path).facts()


def test_what_was_checked_is_what_is_read(tmp_path):
    trust, path = Trust(True, SECRET), tmp_path / "model.pkl"
    # More than a file object has read ahead.
    path.write_bytes(bytes(2**20))
    trust.sign(path)
    content = path.read_bytes()
    with trust.opened(path) as file:
        with path.open("r+b") as other:
            other.write(b"x" * len(content))
        assert file.read() == content


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("only_own", [True, False])
def test_any_byte_that_changed_is_told_and_nothing_is_unpickled(signed, secret, only_own):
    trust = Trust(only_own, secret)
    path = signed(trust)
    content = path.read_bytes()
    # Pickle, facts and digest; without the end there is no digest, which `any` takes for a file of somebody else.
    for place in [*range(0, len(content) - TAIL, 97), len(content) - TAIL - 30, len(content) - TAIL]:
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(ModelUnreadable, match="digest does not match"):
            trust.opened(path)


@pytest.mark.parametrize("cut", [1, TAIL, TAIL + 5, 1000])
def test_a_file_cut_short_is_refused_where_only_own_files_are_read(signed, cut):
    trust = Trust(only_own=True)
    path = signed(trust)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ModelUnreadable, match=r"bears no digest.*server\.trust_models"):
        trust.opened(path)


def test_a_file_of_somebody_else_is_read_unless_only_own_ones_are(tmp_path):
    path = tmp_path / "model.pkl"
    joblib.dump([1], path)
    assert load(ANY, path) == [1]
    with pytest.raises(ModelUnreadable, match=r"server did not write it \(server\.trust_models: digest\)"):
        Trust(only_own=True).opened(path)


@pytest.mark.parametrize(
    ("writer", "reader", "words"),
    [
        # Who can write the file, and knows no secret, cannot make a signature by naming another kind.
        (None, SECRET, r"is not signed by server\.model_secret"),
        (SECRET, None, r"is signed, and there is no server\.model_secret"),
        (OTHER, SECRET, "digest does not match"),
    ],
)
def test_with_a_secret_only_what_it_signed_is_read(signed, writer, reader, words):
    path = signed(Trust(secret=writer))
    with pytest.raises(ModelUnreadable, match=words):
        Trust(True, reader).opened(path)


def test_without_its_secret_a_file_cannot_be_checked_and_is_read_as_any(signed):
    assert load(ANY, signed(Trust(secret=SECRET)))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "inner/a"):
        (folder / name).write_text(name)
    return folder


def _change(folder):
    (folder / "model.safetensors").write_text("other")


def _add(folder):
    (folder / "extra").write_text("x")


def _remove(folder):
    (folder / "config.json").unlink()


def _rename(folder):
    (folder / "config.json").rename(folder / "confih.json")


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("change", [_change, _add, _remove, _rename])
def test_a_folder_of_which_anything_changed_is_refused(folder, secret, change):
    trust = Trust(True, secret)
    trust.sign(folder)
    trust.check_folder(folder)
    change(folder)
    with pytest.raises(ModelUnreadable, match="digest does not match"):
        trust.check_folder(folder)
    ANY.check_folder(folder)


def test_a_folder_of_somebody_else_is_refused_where_only_own_ones_are_read(folder):
    with pytest.raises(ModelUnreadable, match="bears no digest"):
        Trust(only_own=True).check_folder(folder)


def test_a_secret_is_not_shown():
    assert "secret of" not in repr(Trust(True, SECRET))
