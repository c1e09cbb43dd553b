"""How soon a page can be read and used: measured on a page whose delays are known."""

import pytest
import vitals

PAGE = """<!doctype html><html><head><meta charset="utf-8"></head><body><h1>Boxes</h1>
<div class="explorer-place" id="explorer-0"></div><script>
setTimeout(() => {
  const place = document.getElementById("explorer-0");
  place.innerHTML = "<input type='range'><p></p>";
  const [slider, words] = place.children;
  slider.oninput = () => setTimeout(() => (words.textContent = slider.value), 200);
  place.dataset.state = "alive";
}, 300);
</script></body></html>"""


@pytest.fixture
def html(tmp_path, monkeypatch):
    """Two built pages, one of which has an explorer."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "04_boxes.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "book" / "glossary.html").write_text("<h1>Glossary</h1>", encoding="utf-8")
    monkeypatch.setattr(vitals, "HTML", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["glossary", "05_scales"])
def test_a_page_without_an_explorer_is_named(html, name, capsys):
    assert vitals.main(["04_boxes", name]) == 1
    assert f"no page {name} with an explorer" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_alive_is_when_the_explorer_and_not_its_slider_has_answered(html, capsys):
    assert vitals.main(["04_boxes", "--rounds", "1", "--slower", "1"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "04_boxes" in line)
    lcp, shift, alive = map(float, row.split("|")[2:5])
    assert lcp > 0
    assert 0 <= shift < 1
    assert alive > 0.5
