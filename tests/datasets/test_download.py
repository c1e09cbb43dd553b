"""Downloads against a server on this machine: whole, resumed, refused, wrong, slow, full disk."""

import errno
import hashlib
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ssd_tutorial.datasets import download
from ssd_tutorial.datasets.download import DownloadError, fetch
from ssd_tutorial.datasets.registry import Archive

CONTENT = np.random.default_rng(0).bytes(700_001)
QUICK = {"pause": 0.01, "timeout": (2.0, 0.5), "progress": False}


class Handler(BaseHTTPRequestHandler):
    """What happens is said by the address: /good/FILE, /cut/FILE, /404/FILE, …"""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind = self.path.split("/")[1]
        server = self.server
        server.asked[kind].append(dict(self.headers.items()))
        number = len(server.asked[kind])
        content = server.content
        if kind.isdigit():
            return self.send_error(int(kind))
        if kind == "busy" and number <= 2:
            return self.send_error(503)
        if kind == "wrong":
            content = bytes(len(content))
        if kind == "page":
            content = b"<html>Please sign in to this network.</html>"
        if kind == "changes" and number > 1:
            content = content[::-1]
        start = 0
        asked = self.headers.get("Range")
        tag = hashlib.md5(content).hexdigest()
        fresh = self.headers.get("If-Range") in (None, f'"{tag}"')
        if asked and kind not in ("norange",) and fresh:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if kind == "liar" and asked:  # another piece than was asked for
            start = 0
            self.send_response(206)
        else:
            self.send_response(206 if start else 200)
        body = content[start:]
        if start or (kind == "liar" and asked):
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        if kind != "nolength":
            self.send_header("Content-Length", str(len(body)))
        if kind not in ("notag", "nolength"):
            self.send_header("ETag", f'W/"{tag}"' if kind == "weak" else f'"{tag}"')
        if kind == "nolength":
            self.send_header("Connection", "close")
        self.end_headers()
        step = 200_000
        if kind in ("cut", "changes", "notag", "weak", "norange", "liar") and (
            number == 1 or kind == "cut"
        ):
            body = body[:step]
        if kind == "stalls":
            self.wfile.write(body[:100_000] if number == 1 else b"")
            self.wfile.flush()
            server.stop.wait(3)
            self.close_connection = True
            return None
        if kind == "slow":
            for at in range(0, len(body), 100_000):
                self.wfile.write(body[at : at + 100_000])
                time.sleep(0.05)
            return None
        self.wfile.write(body)
        self.close_connection = True
        return None


@pytest.fixture
def server():
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    web.content, web.asked, web.stop = CONTENT, defaultdict(list), threading.Event()
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    web.at = f"http://127.0.0.1:{web.server_address[1]}"
    yield web
    web.stop.set()
    web.shutdown()
    web.server_close()
    thread.join()


def archive(server, *kinds, checked="sha256", size=True):
    return Archive(
        file="pictures.tar",
        addresses=tuple(f"{server.at}/{kind}/pictures.tar" for kind in kinds),
        bytes=len(CONTENT) if size else None,
        sha256=hashlib.sha256(CONTENT).hexdigest() if checked == "sha256" else None,
        md5=hashlib.md5(CONTENT).hexdigest() if checked == "md5" else None,
        take="x",
        folder="x",
    )


def whole(path, folder):
    assert path == folder / "pictures.tar"
    assert path.read_bytes() == CONTENT
    assert [p.name for p in folder.iterdir()] == ["pictures.tar"]  # no part is left


@pytest.mark.parametrize("checked", ["sha256", "md5", ""])
@pytest.mark.parametrize("kind", ["good", "norange", "nolength", "slow"])
def test_a_file_is_fetched_whole(server, tmp_path, kind, checked):
    if kind == "norange":
        server.asked["norange"].append({})  # not the first request, so it is not cut
    one = archive(server, kind, checked=checked, size=checked != "")
    whole(fetch(one, tmp_path / "data", **QUICK), tmp_path / "data")


def test_a_file_that_is_there_is_checked_and_not_fetched(server, tmp_path):
    one = archive(server, "good")
    fetch(one, tmp_path, **QUICK)
    fetch(one, tmp_path, **QUICK)
    assert len(server.asked["good"]) == 1
    (tmp_path / "pictures.tar").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ValueError, match=r"is not the file it should be \(sha256 .*delete it"):
        fetch(one, tmp_path, **QUICK)


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    whole(fetch(archive(server, "cut"), tmp_path, **QUICK), tmp_path)
    ranges = [headers.get("Range") for headers in server.asked["cut"]]
    # A block that was on its way when the connection broke is fetched again.
    assert ranges == [None, *(f"bytes={3 * download.CHUNK * n}-" for n in (1, 2, 3))]
    tags = {headers.get("If-Range") for headers in server.asked["cut"][1:]}
    assert tags == {f'"{hashlib.md5(CONTENT).hexdigest()}"'}


def test_another_call_resumes_too(server, tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(download.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(archive(server, "cut"), tmp_path, **QUICK)
    monkeypatch.undo()
    assert (tmp_path / "pictures.tar.part").stat().st_size == 3 * download.CHUNK
    whole(fetch(archive(server, "good"), tmp_path, **QUICK), tmp_path)  # from a mirror
    (headers,) = server.asked["good"]
    assert headers["Range"] == f"bytes={3 * download.CHUNK}-"
    assert "If-Range" not in headers  # the tag of another server means nothing here


@pytest.mark.parametrize("kind", ["norange", "liar", "notag", "weak"])
def test_servers_that_resume_badly_or_not_at_all(server, tmp_path, kind):
    whole(fetch(archive(server, kind), tmp_path, **QUICK), tmp_path)
    assert len(server.asked[kind]) >= 2
    assert "If-Range" not in server.asked[kind][1] or kind in ("norange", "liar")


def test_a_file_that_changes_in_between_is_fetched_anew(server, tmp_path):
    turned = archive(server, "changes", checked="")
    path = fetch(turned, tmp_path, **QUICK)
    assert path.read_bytes() == CONTENT[::-1]  # all of the second version, nothing of the first


def test_without_a_checksum_no_part_of_unknown_origin_is_kept(server, tmp_path):
    (tmp_path / "pictures.tar.part").write_bytes(bytes(1000))
    whole(fetch(archive(server, "good", checked=""), tmp_path, **QUICK), tmp_path)
    assert "Range" not in server.asked["good"][0]


@pytest.mark.parametrize("extra", [0, 5])
def test_a_part_that_is_whole_or_too_long(server, tmp_path, extra):
    (tmp_path / "pictures.tar.part").write_bytes(CONTENT + bytes(extra))
    whole(fetch(archive(server, "good"), tmp_path, **QUICK), tmp_path)
    assert len(server.asked["good"]) == (1 if extra else 0)


@pytest.mark.parametrize("spoiled", [b"?" * 300_000, b"?" * len(CONTENT)])
def test_a_part_that_is_damaged_is_noticed_and_fetched_from_the_next(server, tmp_path, spoiled):
    (tmp_path / "pictures.tar.part").write_bytes(spoiled)
    whole(fetch(archive(server, "good", "good"), tmp_path, **QUICK), tmp_path)


def test_busy_servers_are_asked_again(server, tmp_path):
    whole(fetch(archive(server, "busy"), tmp_path, **QUICK), tmp_path)
    assert len(server.asked["busy"]) == 3


@pytest.mark.parametrize("bad", ["404", "410", "403", "wrong", "page", "503"])
def test_the_next_address_is_tried(server, tmp_path, bad):
    whole(fetch(archive(server, bad, "good"), tmp_path, **QUICK), tmp_path)
    assert len(server.asked["good"]) == 1
    assert len(server.asked[bad]) == (5 if bad == "503" else 1)


def test_every_address_is_named_with_its_reason(server, tmp_path):
    gone = "http://127.0.0.1:1/pictures.tar"
    one = archive(server, "404", "wrong", "page", "503")
    one = Archive(**{**vars(one), "addresses": (*one.addresses, gone, "nonsense://x")})
    with pytest.raises(DownloadError) as caught:
        fetch(one, tmp_path, **QUICK)
    message = str(caught.value)
    for words in (
        "pictures.tar could not be fetched: ",
        "/404/pictures.tar answers 404 Not Found; ",
        "/wrong/pictures.tar sends another file (sha256 ",
        "/page/pictures.tar has 44 bytes, where 700001 were expected; ",
        "/503/pictures.tar answers 503 Service Unavailable; ",
        f"{gone} cannot be reached; ",
        "nonsense://x cannot be used (",
        "the same command goes on",
    ):
        assert words in message
    assert list(tmp_path.iterdir()) == []  # nothing of the wrong file stays


def test_a_server_that_sends_nothing_more(server, tmp_path):
    began = time.perf_counter()
    with pytest.raises(DownloadError, match=r"sends nothing for 0\.5 s\. 65\.5 kB are kept in"):
        fetch(archive(server, "stalls"), tmp_path, tries=2, **QUICK)
    assert time.perf_counter() - began < 20
    kept = (tmp_path / "pictures.tar.part").read_bytes()
    assert kept == CONTENT[: download.CHUNK]


class Full:
    """A file on a disk with room for 300 000 bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *reason):
        return self.file.__exit__(*reason)

    def seek(self, place):
        self.file.seek(place)

    def write(self, block):
        if self.file.tell() + len(block) > 300_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.file.write(block)


def test_a_full_disk_is_said_in_one_sentence_and_the_part_is_kept(server, tmp_path, monkeypatch):
    real = Path.open

    def opened(self, *arguments, **more):
        file = real(self, *arguments, **more)
        return Full(file) if self.name.endswith(".part") else file

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(
        DownloadError, match=r"no room is left in .*\(262\.1 kB of 700\.0 kB.*--root"
    ):
        fetch(archive(server, "good"), tmp_path, **QUICK)
    monkeypatch.undo()
    assert (tmp_path / "pictures.tar.part").stat().st_size == 262_144
    whole(fetch(archive(server, "good"), tmp_path, **QUICK), tmp_path)
    assert server.asked["good"][1]["Range"] == "bytes=262144-"


def test_progress_counts_from_what_is_there(server, tmp_path, capsys):
    (tmp_path / "pictures.tar.part").write_bytes(CONTENT[:350_000])
    fetch(archive(server, "good"), tmp_path, **QUICK | {"progress": True})
    shown = capsys.readouterr().err
    assert "pictures.tar:  50%" in shown
    assert "pictures.tar: 100%" in shown
