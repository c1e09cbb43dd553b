"""Files that appear complete or not at all."""

import pytest

from ssd_tutorial.whole_files import written_whole


def test_the_file_appears_at_the_end_of_the_block_in_a_folder_made_for_it(tmp_path):
    path = tmp_path / "new" / "log.csv"
    with written_whole(path) as unfinished:
        unfinished.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["log.csv"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")

    def fail_halfway():
        with written_whole(path) as unfinished:
            unfinished.write_text("half")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fail_halfway()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]
