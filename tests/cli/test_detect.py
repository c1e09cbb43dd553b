"""``detect`` as its users run it: what it lists, what it draws, and what it never overwrites."""

import csv
import json
import os
import sys

import pytest
import torch
from PIL import Image

from ssd_tutorial.__main__ import main
from ssd_tutorial._files import is_foreign
from ssd_tutorial.cli import detect_command as module
from ssd_tutorial.datasets import SCENE_CLASSES, Scenes, read_picture
from ssd_tutorial.deploy.inference import detect, load_detector
from ssd_tutorial.deploy.listing import MADE_BY
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.weights.file import save_weights
from tests import forked


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights that see the third and the fourth class in every cell of one map."""
    torch.manual_seed(0)
    network = SSD(SLIM300, 13)
    with torch.no_grad():
        bias = network.class_heads[3].bias.view(-1, 13)
        bias[:, 4], bias[:, 3] = 4, 3.5
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, network, SCENE_CLASSES, {})
    return path


@pytest.fixture
def photos(tmp_path):
    """A folder of two pictures, a file that is none, and one that only says it is one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, name in enumerate(("a.png", "b.jpg")):
        image = Scenes(1, size=80 + 20 * index, start=index)[0][0]
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / "clip.mp4").write_bytes(b"0")
    (folder / "below").mkdir()
    (folder / ".DS_Store").write_bytes(b"0")
    return folder


def run(capsys, *words):
    """Return the exit code, what was printed, and the complaints."""
    code = main(["detect", *map(str, words)])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    lines = [line for line in said.err.splitlines() if line.startswith("ssd_tutorial: ")]
    return code, said.out, [line.removeprefix("ssd_tutorial: ") for line in lines]


def test_lists_hold_what_python_finds_in_pixels_of_the_originals(weights, photos, tmp_path, capsys):
    lists = [tmp_path / "found.json", tmp_path / "found.csv"]
    words = [photos, "--weights", weights, "--json", lists[0], "--csv", lists[1], "--score", "0.3"]
    code, said, complaints = run(capsys, *words, "--out", tmp_path / "out")
    assert (code, len(said.splitlines())) == (0, 4)
    assert complaints == ["skipped, because they are not pictures: below/, clip.mp4, notes.txt"]
    content = json.loads(lists[0].read_text(encoding="utf-8"))
    assert content["complete"]
    assert content["unread"] == []
    assert set(content["score"].values()) == {0.3}
    detector = load_detector(weights)
    rows = []
    for path, one in zip(sorted(photos.glob("?.*")), content["pictures"], strict=True):
        image = read_picture(path)
        (found,) = detect(detector, image, score_threshold=0.3)
        assert (one["picture"], one["height"], one["width"]) == (str(path), *image.shape[1:])
        assert [d["name"] for d in one["detections"]] == detector.names(found.labels)
        assert len(one["detections"]) > 3
        for listed, box, score in zip(
            one["detections"], found.boxes.tolist(), found.scores.tolist(), strict=True
        ):
            assert listed["box"] == pytest.approx(box, abs=0.01)
            assert listed["score"] == pytest.approx(score, abs=1e-4)
            assert 0 <= listed["box"][0] < listed["box"][2] <= one["width"]
            rows.append([str(path), listed["name"], listed["score"], *listed["box"]])
        copy = tmp_path / "out" / f"{path.stem}.png"
        assert not is_foreign(copy, MADE_BY)
        assert read_picture(copy).shape == image.shape
    with lists[1].open(newline="", encoding="utf-8") as file:
        header, *written = csv.reader(file)
    assert header == ["picture", "name", "score", "xmin", "ymin", "xmax", "ymax"]
    assert written == [[str(cell) for cell in row] for row in rows]


def test_copies_can_be_left_out(weights, photos, tmp_path, capsys):
    words = [photos / "a.png", "--weights", weights, "--json", tmp_path / "a.json", "--no-draw"]
    code, said, _ = run(capsys, *words, "--out", tmp_path / "out")
    assert code == 0
    assert " -> " not in said
    assert not (tmp_path / "out").exists()


def test_a_class_has_a_score_of_its_own(weights, photos, tmp_path, capsys):
    third, fourth = SCENE_CLASSES[2], SCENE_CLASSES[3]
    words = [photos / "a.png", "--weights", weights, "--out", tmp_path / "out", "--no-draw"]
    _, said, _ = run(capsys, *words, "--score", "0.2")
    assert third in said
    assert fourth in said
    _, said, _ = run(capsys, *words, "--score", "0.2", "--score", f"{fourth}=1")
    assert third in said
    assert fourth not in said
    _, said, _ = run(capsys, *words, "--score", "1", "--score", f"{third}=0.2")
    assert third in said
    assert fourth not in said


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("50", "--score 50: a score is a number from 0 to 1, such as 0.5 for 50 %"),
        ("nan", "--score nan: a score is a number from 0 to 1"),
        ("-1", "--score -1: a score is a number from 0 to 1"),
        ("cat", "--score cat: a score is a number from 0 to 1"),
        ("cat=7000", "--score cat=7000: a score is a number from 0 to 1"),
        (
            "mushrom=0.5",
            "--score mushrom=0.5: the weights have no class 'mushrom' (did you mean 'mushroom'?). ",
        ),
    ],
)
def test_scores_that_cannot_be_are_refused(weights, photos, tmp_path, capsys, word, sentence):
    words = [photos / "a.png", "--weights", weights, f"--score={word}", "--out", tmp_path / "out"]
    code, said, complaints = run(capsys, *words)
    assert (code, said) == (1, "")
    assert complaints[-1].startswith(sentence)


def test_originals_and_other_files_are_never_overwritten(weights, photos, tmp_path, capsys):
    """a.png was not among the arguments, but b.jpg's copy would be called as another picture is."""
    Image.new("RGB", (9, 9)).save(photos / "b.png")
    before = (photos / "b.png").read_bytes()
    words = [photos / "b.jpg", "--weights", weights]
    code, _, complaints = run(capsys, *words, "--out", photos)
    assert code == 1
    assert complaints == [
        f"{photos / 'b.png'} is not a copy that detect has written: give another folder with --out,"
        " or replace it with --overwrite"
    ]
    code, _, complaints = run(capsys, photos / "b.png", *words, "--out", photos, "--overwrite")
    assert code == 1
    assert "would be overwritten: give another folder" in complaints[0]
    assert (photos / "b.png").read_bytes() == before
    assert run(capsys, *words, "--out", tmp_path / "out")[0] == 0
    assert run(capsys, *words, "--out", tmp_path / "out")[0] == 0  # its own copy is replaced
    assert run(capsys, *words, "--out", photos, "--overwrite")[0] == 0
    assert (photos / "b.png").read_bytes() != before


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_list_replaces_only_a_list(weights, photos, tmp_path, capsys, option):
    target = tmp_path / "list"
    words = [photos / "a.png", "--weights", weights, "--no-draw", option, target]
    target.write_text('{"annotations": []}')
    code, _, complaints = run(capsys, *words)
    assert code == 1
    assert complaints[0].startswith(f"{target} is not a list that detect has written")
    assert target.read_text() == '{"annotations": []}'
    assert run(capsys, *words, "--overwrite")[0] == 0
    assert run(capsys, *words)[0] == 0
    code, _, complaints = run(capsys, *words[:-1], photos)
    assert complaints == [f"{photos} is a folder: give the name of a file"]


def test_an_output_folder_that_is_a_file_is_reported(weights, photos, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    words = [photos / "a.png", "--weights", weights, "--out", tmp_path / "out"]
    code, _, complaints = run(capsys, *words)
    assert code == 1
    assert complaints[0].startswith(f"{tmp_path / 'out'} cannot be written to (")
    assert (tmp_path / "out").read_text() == "mine"


def test_what_was_found_is_listed_although_a_picture_ends_the_run(
    weights, photos, tmp_path, capsys, monkeypatch
):
    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "write_copy", full)
    words = [photos, "--weights", weights, "--json", tmp_path / "a.json", "--batch-size", "1"]
    code, said, complaints = run(capsys, *words, "--out", tmp_path / "out")
    assert code == 1
    assert complaints[-1] == "the disk is full"
    assert said == f"written to {tmp_path / 'a.json'}, as far as it got\n"
    content = json.loads((tmp_path / "a.json").read_text())
    assert [one["picture"][-5:] for one in content["pictures"]] == ["a.png"]
    assert not content["complete"]


def test_unreadable_pictures_are_named_listed_and_skipped(weights, photos, tmp_path, capsys):
    (photos / "c.gif").write_bytes(b"GIF89a")
    words = [photos, "--weights", weights, "--json", tmp_path / "a.json", "--no-draw"]
    code, said, complaints = run(capsys, *words)
    assert code == 1
    assert f"{photos / 'c.gif'} cannot be decoded as a picture" in complaints[1]
    assert complaints[-1] == "1 of 3 pictures could not be read (see above)"
    content = json.loads((tmp_path / "a.json").read_text())
    assert [len(content[key]) for key in ("pictures", "unread")] == [2, 1]
    assert content["unread"][0]["picture"] == str(photos / "c.gif")
    assert content["complete"]
    assert "a.png: " in said


@pytest.mark.skipif(sys.platform != "linux", reason="names there are Unicode")
def test_a_name_that_is_not_text_is_listed(weights, photos, tmp_path, capsys):
    odd = os.fsencode(photos) + b"/\xff\xfe.png"
    os.rename(photos / "a.png", odd)
    words = [
        photos,
        "--weights",
        weights,
        "--json",
        tmp_path / "a.json",
        "--csv",
        tmp_path / "a.csv",
    ]
    assert run(capsys, *words, "--no-draw")[0] == 0
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert os.fsencode(content["pictures"][-1]["picture"]) == odd


def test_a_run_folder_is_taken_for_its_weights(weights, photos, tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    os.link(weights, folder / "weights.safetensors")
    assert run(capsys, photos / "a.png", "--weights", folder, "--no-draw")[0] == 0


WITHOUT_ROOM = """
import resource, sys
import torch.distributed.nn  # early releases write a file when it is imported
from ssd_tutorial.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
sys.exit(main(words))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk_is_reported_with_the_copy_it_was_meant_for(weights, photos, tmp_path):
    words = ["detect", str(photos / "a.png"), "--weights", str(weights), "--out", str(tmp_path)]
    done = forked.run(WITHOUT_ROOM, words=words)
    copy = tmp_path / "a.png"
    assert done.returncode == 1
    assert done.stderr == f"ssd_tutorial: {copy} cannot be written (File too large)\n"
