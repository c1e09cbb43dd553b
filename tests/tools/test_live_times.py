"""tools/live_times.py: its shares, and what it says where there is nothing to time."""

import live_times
import pytest


def test_a_share_is_the_value_below_which_that_part_lies():
    values = [float(n) for n in range(100, 0, -1)]
    assert live_times.share(values, 0.95) == 96
    assert live_times.share(values, 0) == 1
    assert live_times.share([3.0], 0.95) == 3
    assert live_times.told(values) == "median 50.5, p95 96.0"


@pytest.mark.parametrize("page", [None, '<div class="live-place" data-base="../_static/live/">'])
def test_without_pages_or_without_the_detector_it_says_what_to_do(
    tmp_path, monkeypatch, capsys, page
):
    monkeypatch.setattr(live_times, "HTML", tmp_path)
    if page:
        (tmp_path / "book").mkdir()
        (tmp_path / "book" / "live.html").write_text(page)
    assert live_times.main([]) == 1
    assert "make book" in capsys.readouterr().err
