"""Master keys from the environment and from the key file."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from db.keyfile import KeyFileError, MasterKey, MasterKeys, add_master_key
from db.private_files import create_private_file


def in_base64(byte: int) -> str:
    return base64.b64encode(bytes([byte]) * 32).decode()


def test_a_new_key_file_is_private_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "private" / "ihala.key"
    made, read = MasterKeys.load(path), MasterKeys.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert made.current.key == read.current.key
    assert made.index_key == read.index_key != made.current.key
    assert [entry.name for entry in path.parent.iterdir()] == ["ihala.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ihala.key"
    MasterKeys.load(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError) as refusal:
        MasterKeys.load(path)
    assert refusal.value.code == "readable_by_others"


def test_a_missing_file_is_not_made_where_data_exists_already(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError) as refusal:
        MasterKeys.load(tmp_path / "ihala.key", create=False)
    assert refusal.value.code == "missing"
    assert not (tmp_path / "ihala.key").exists()


@pytest.mark.parametrize("damage", ["index", "master a b c", "nonsense", "master a b", "index \N{SNOWMAN}"])
def test_a_damaged_file_is_refused_without_showing_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ihala.key"
    keys = MasterKeys.load(path)
    path.write_text(path.read_text() + damage + "\n")
    with pytest.raises(KeyFileError) as refusal:
        MasterKeys.load(path)
    assert refusal.value.code == "malformed"
    secret = base64.urlsafe_b64encode(keys.current.key).decode()
    assert secret not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ihala.key"
    MasterKeys.load(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(KeyFileError):
        MasterKeys.load(path)


def test_processes_that_start_at_once_get_the_same_keys(tmp_path: Path) -> None:
    script = (
        "import sys, hashlib, pathlib; from db.keyfile import MasterKeys; sys.stdin.readline();"
        "keys = MasterKeys.load(pathlib.Path(sys.argv[1]));"
        "print(hashlib.sha256(keys.current.key + keys.index_key).hexdigest())"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", script, str(tmp_path / "new" / "ihala.key")]
    starters = [
        subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ), text=True
        )
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = {starter.communicate(timeout=60)[0] for starter in starters}
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 64


def test_whoever_comes_second_leaves_the_first_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert create_private_file(path, b"first")
    assert not create_private_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_environment_keys_come_before_the_file_and_the_first_is_current(tmp_path: Path) -> None:
    value = f"new:{in_base64(2)}, old:{in_base64(1)}"
    keys = MasterKeys.load(tmp_path / "ihala.key", master_value=value)
    assert keys.current_id == "new"
    assert keys.by_id["old"].key == b"\x01" * 32
    assert not (tmp_path / "ihala.key").exists()


def test_the_derived_index_key_survives_a_rotation() -> None:
    before = MasterKeys.from_environment(f"old:{in_base64(1)}")
    after = MasterKeys.from_environment(f"new:{in_base64(2)},old:{in_base64(1)}")
    assert before.index_key == after.index_key
    dropped = MasterKeys.from_environment(f"new:{in_base64(2)}")
    assert dropped.index_key != before.index_key
    kept = MasterKeys.from_environment(
        f"new:{in_base64(2)}", base64.b64encode(before.index_key).decode().rstrip("=")
    )
    assert kept.index_key == before.index_key


def test_a_key_without_an_id_gets_the_same_one_each_time() -> None:
    first, second = MasterKeys.from_environment(in_base64(7)), MasterKeys.from_environment(in_base64(7))
    assert first.current_id == second.current_id
    assert first.current_id != MasterKeys.from_environment(in_base64(8)).current_id


@pytest.mark.parametrize(
    "value", ["", "short", f"a:{in_base64(1)},a:{in_base64(2)}", f":{in_base64(1)}", "a:" + "A" * 44 + "!"]
)
def test_bad_environment_values_are_refused(value: str) -> None:
    with pytest.raises(KeyFileError) as refusal:
        MasterKeys.from_environment(value)
    assert refusal.value.code == "malformed"


def test_rotation_puts_a_new_key_first_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "ihala.key"
    before = MasterKeys.load(path)
    after = add_master_key(path)
    assert MasterKeys.load(path).current_id == after.current_id != before.current_id
    assert after.by_id[before.current_id].key == before.current.key
    assert after.index_key == before.index_key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_key_in_a_representation() -> None:
    key = MasterKey("one", b"K" * 32)
    assert "KKKK" not in repr(key)
    assert "KKKK" not in repr(MasterKeys.of([key], b"K" * 32))
