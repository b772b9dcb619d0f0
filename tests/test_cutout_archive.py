"""Promises of archives of cutouts: fetched with their checksum from where it was left, read without unpacking."""

import gzip
import hashlib
import io
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from call import QUICK, list_performed, refuse_run, run
from cutout_server import Handler, serve_cutouts
from metalight.cutouts import PicturesOfArchive, find_archive_flaw, import_archive
from metalight.errors import ImageError, ServiceError
from metalight.recipe import NetworkSettings
from metalight.store import FileReader
from metalight.web import fetch_file
from scripted_server import Visit, serve_script
from sky_pictures import make_galaxy, make_message

_FIRST = 1_237_648_720_693_755_918
_PICTURES = PicturesOfArchive("legacy-sdss", 64, 0.262)
_QUICK = NetworkSettings(first_wait_s=0, tries=3, timeout_s=2)


def make_files(number: int) -> dict[str, bytes]:
    return {f"images-sdss/{_FIRST + n}.jpg": make_galaxy(n, 64) for n in range(number)}


def pack(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that its name tells."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["images.tar.gz", "images.tar", "images.zip"])
def test_the_pictures_of_an_archive_are_kept_byte_for_byte(tmp_path: Path, name: str) -> None:
    files = make_files(20)
    others = {"images-sdss/README.txt": b"words", "images-sdss/._1237648720693755918.jpg": b"x", "a/other.jpg": b"y"}
    archive = pack(tmp_path / name, {**others, **files})
    wanted = np.arange(_FIRST + 19, _FIRST - 1, -1)
    report = import_archive(wanted, archive, _PICTURES, tmp_path / "store")
    reader = FileReader(tmp_path / "store")
    assert report.fetched["object_id"].tolist() == wanted.tolist()
    kept = dict(zip(report.fetched["object_id"].tolist(), map(reader.read, report.fetched["path"]), strict=True))
    assert kept == {_FIRST + n: make_galaxy(n, 64) for n in range(20)}
    assert (report.num_new, len(report.refused)) == (20, 0)
    again = import_archive(wanted, archive, _PICTURES, tmp_path / "store")
    assert again.num_new == 0
    assert again.fetched.equals(report.fetched)


def test_who_has_no_picture_or_several_or_a_broken_one_is_refused_with_the_reason(tmp_path: Path) -> None:
    files = make_files(5)
    files[f"again/{_FIRST + 1}.jpeg"] = make_galaxy(9, 64)
    files[f"images-sdss/{_FIRST + 2}.jpg"] = make_galaxy(2, 64)[:-200]
    files[f"images-sdss/{_FIRST + 3}.jpg"] = make_galaxy(3, 128)
    files[f"images-sdss/{_FIRST + 4}.jpg"] = make_message("outside", 64)
    archive = pack(tmp_path / "images.tar.gz", files)
    report = import_archive(np.arange(_FIRST, _FIRST + 6), archive, _PICTURES, tmp_path / "store")
    assert report.fetched["object_id"].tolist() == [_FIRST]
    refused = dict(zip(report.refused["object_id"].tolist(), report.refused["reason"].tolist(), strict=True))
    words = ["2 pictures", "cut short", "128 × 128 px", "exactly black", "no picture in the archive"]
    for number, expected in enumerate(words, start=1):
        assert expected in refused[_FIRST + number]


@pytest.mark.parametrize("data", [b"", b"not an archive", b"\x1f\x8b\x08rest", b"PK\x03\x04broken"])
def test_what_is_no_archive_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "images.tar.gz").write_bytes(data)
    with pytest.raises(ImageError, match=r"images\.tar\.gz cannot be read as a tar or zip archive"):
        import_archive(np.array([_FIRST]), tmp_path / "images.tar.gz", _PICTURES, tmp_path / "store")


def test_an_archive_that_is_cut_short_is_named_and_what_came_before_is_not_doubled(tmp_path: Path) -> None:
    whole = pack(tmp_path / "images.tar.gz", make_files(30))
    short = tmp_path / "short.tar.gz"
    short.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(ImageError, match="short"):
        import_archive(np.arange(_FIRST, _FIRST + 30), short, _PICTURES, tmp_path / "store")
    report = import_archive(np.arange(_FIRST, _FIRST + 30), whole, _PICTURES, tmp_path / "store")
    assert len(report.fetched) == 30


def write_tar(path: Path, *members: tarfile.TarInfo) -> Path:
    """A tar of files of zeros."""
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as file:
        for member in members:
            file.write(member.tobuf(tarfile.GNU_FORMAT))
            for first in range(0, member.size, 1 << 20):
                file.write(bytes(min(1 << 20, -(-(member.size - first) // 512) * 512)))
        file.write(bytes(1024))
    return path


def make_member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, link
    return member


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_would_fill_the_memory_is_refused_unread(tmp_path: Path, kind: bytes) -> None:
    archive = write_tar(tmp_path / "a.tar.gz", make_member("x", kind, 300_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"a\.tar\.gz cannot be read .* a header of 300,000,000 bytes"):
            import_archive(np.array([_FIRST]), archive, _PICTURES, tmp_path / "store")
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metalight.cutouts.archive_files._FIRST_UNPACKED", 10_000_000)
    archive = write_tar(tmp_path / "a.tar.gz", make_member("x", size=200_000_000))
    with pytest.raises(ImageError, match="unpacks to more than 100 times its size"):
        import_archive(np.array([_FIRST]), archive, _PICTURES, tmp_path / "store")


def test_memory_does_not_grow_with_the_files_of_an_archive(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", *[make_member(f"{n}/{n}.jpg") for n in range(3000)])
    tracemalloc.start()
    try:
        assert find_archive_flaw(archive) == ""
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_a_zip_with_a_huge_list_of_files_is_refused_unread(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", make_files(3))
    data = bytearray(archive.read_bytes())
    place = data.rindex(b"PK\x05\x06") + 12
    data[place : place + 4] = (2_000_000_000).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(ImageError, match="list of files is longer"):
        import_archive(np.array([_FIRST]), archive, _PICTURES, tmp_path / "store")


def test_links_devices_and_paths_outside_do_no_harm(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(make_galaxy(0, 64))
    archive = write_tar(
        tmp_path / "a.tar.gz",
        make_member(f"{_FIRST}.jpg", tarfile.SYMTYPE, link=str(outside)),
        make_member(f"/{_FIRST + 1}.jpg", tarfile.LNKTYPE, link="../outside.jpg"),
        make_member(f"{_FIRST + 2}.jpg", tarfile.CHRTYPE),
        make_member(f"{_FIRST + 3}.jpg", tarfile.FIFOTYPE),
        make_member(f"../../{_FIRST + 4}.jpg"),
    )
    before = sorted(tmp_path.parent.rglob("*.jpg"))
    report = import_archive(np.arange(_FIRST, _FIRST + 5), archive, _PICTURES, tmp_path / "store")
    assert sorted(tmp_path.parent.rglob("*.jpg")) == before
    assert report.fetched.empty
    assert ["link" in reason for reason in report.refused["reason"]] == [True, True, False, False, False]


@pytest.mark.parametrize("name", ["images.tar", "images.tar.gz", "images.zip"])
def test_an_archive_is_whole_only_if_it_opens_to_its_end(tmp_path: Path, name: str) -> None:
    whole = pack(tmp_path / name, make_files(3))
    assert find_archive_flaw(whole) == ""
    data = whole.read_bytes()
    short = tmp_path / f"short-{name}"
    end_of_first_file = 512 * (1 + -(-len(make_galaxy(0, 64)) // 512))
    for num_bytes in (len(data) // 4, min(end_of_first_file, len(data) // 2), 100, 0):
        short.write_bytes(data[:num_bytes])
        assert find_archive_flaw(short), num_bytes


def test_a_damaged_head_in_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    archive = pack(tmp_path / "images.tar", make_files(3))
    data = bytearray(archive.read_bytes())
    second = 512 * (1 + -(-len(make_galaxy(0, 64)) // 512))
    data[second + 150] ^= 255
    archive.write_bytes(data)
    with pytest.raises(ImageError, match="damaged"):
        import_archive(np.arange(_FIRST, _FIRST + 3), archive, _PICTURES, tmp_path / "store")


def test_an_answer_without_a_length_that_broke_off_is_not_kept_for_whole(tmp_path: Path) -> None:
    data = pack(tmp_path / "images.tar", make_files(5)).read_bytes()
    num_bytes = [len(data) // 2] * 4 + [len(data)]

    def send(visit: Visit) -> None:
        visit.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + data[: num_bytes[visit.number]])

    with serve_script(send) as server:
        with pytest.raises(ServiceError, match=r"may have broken off.*run the same command"):
            fetch_file(f"{server.url}/a", tmp_path / "a", _QUICK, find_flaw=find_archive_flaw)
        assert not (tmp_path / "a").exists()
        fetch_file(f"{server.url}/a", tmp_path / "a", _QUICK, find_flaw=find_archive_flaw)
    assert (tmp_path / "a").read_bytes() == data
    assert len(server.visits) == 5


def test_a_file_that_comes_in_a_few_bytes_at_a_time_is_given_up(tmp_path: Path) -> None:
    def send_a_little(visit: Visit) -> None:
        first = int(visit.head.partition("bytes=")[2].partition("-")[0] or 0)
        status = f"206 Partial Content\r\nContent-Range: bytes {first}-999999/1000000" if first else "200 OK"
        words = f"HTTP/1.1 {status}\r\nContent-Length: {1_000_000 - first}\r\n\r\n"
        visit.connection.sendall(words.encode() + b"x" * 10)

    with serve_script(send_a_little) as server, pytest.raises(ServiceError, match="resume"):
        fetch_file(f"{server.url}/a", tmp_path / "a", _QUICK)
    assert (tmp_path / "a.part").stat().st_size == 30
    assert len(server.visits) == 3


def test_what_is_whole_but_no_archive_is_not_kept(tmp_path: Path) -> None:
    with (
        serve_cutouts(lambda handler, times: handler.send(b"<html>log in</html>", kind="text/html")) as server,
        pytest.raises(ServiceError, match="deleted: check the address"),
    ):
        fetch_file(server.url, tmp_path / "a", _QUICK, find_flaw=find_archive_flaw)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.tar", "http://me:hidden@127.0.0.1:9/a.tar?token=hidden"])
def test_a_file_whose_service_cannot_be_reached_is_told_within_seconds(tmp_path: Path, url: str) -> None:
    began = time.monotonic()
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9/a\.tar.* cannot be fetched.*network") as error:
        fetch_file(url, tmp_path / "a", NetworkSettings())
    assert "hidden" not in str(error.value)
    assert time.monotonic() - began < 5


_BODY = np.random.default_rng(1).integers(0, 256, 3_000_000, np.uint8).tobytes()


class Archive:
    """Answers as a server of files does, and breaks off after so many bytes, so many times."""

    def __init__(self, *, breaks: int = 0, has_ranges: bool = True) -> None:
        self.breaks, self.has_ranges, self.ranges, self.num_sent, self.tag = breaks, has_ranges, [""], 0, '"1"'

    def __call__(self, handler: Handler, times: int) -> bool:
        asked = handler.headers.get("Range", "")
        self.ranges.append(asked)
        goes_on = asked and self.has_ranges and handler.headers.get("If-Range", self.tag) == self.tag
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if goes_on else 0
        if first >= len(_BODY):
            return handler.send(b"", status=416, Content_Range=f"bytes */{len(_BODY)}")
        rest = _BODY[first:]
        headers = {"ETag": self.tag, "Content_Length": str(len(rest))}
        if first:
            headers["Content_Range"] = f"bytes {first}-{len(_BODY) - 1}/{len(_BODY)}"
        is_broken = self.breaks > 0
        self.breaks -= 1
        sent = rest[:1_200_000] if is_broken else rest
        self.num_sent += len(sent)
        handler.send(sent, status=206 if first else 200, kind="application/gzip", **headers)
        handler.close_connection = is_broken
        return True


def test_a_large_file_goes_on_from_where_it_broke_off(tmp_path: Path) -> None:
    archive = Archive(breaks=2)
    with serve_cutouts(archive) as server:
        md5 = hashlib.md5(_BODY).hexdigest()
        fetch_file(server.url, tmp_path / "a.tar.gz", _QUICK, checksum=f"md5:{md5}")
    assert (tmp_path / "a.tar.gz").read_bytes() == _BODY
    assert archive.num_sent < len(_BODY) + 300_000
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_service_without_ranges_is_asked_from_the_beginning(tmp_path: Path) -> None:
    with serve_cutouts(Archive(breaks=1, has_ranges=False)) as server:
        fetch_file(server.url, tmp_path / "a", _QUICK)
    assert (tmp_path / "a").read_bytes() == _BODY


def test_a_file_that_has_changed_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    archive = Archive()
    (tmp_path / "a.part").write_bytes(b"old" * 1000)
    (tmp_path / "a.part.version").write_text('"0"')
    with serve_cutouts(archive) as server:
        fetch_file(server.url, tmp_path / "a", _QUICK)
    assert (tmp_path / "a").read_bytes() == _BODY


def test_what_is_whole_already_is_known_to_be(tmp_path: Path) -> None:
    archive = Archive()
    (tmp_path / "a.part").write_bytes(_BODY)
    with serve_cutouts(archive) as server:
        fetch_file(server.url, tmp_path / "a", _QUICK)
        fetch_file(server.url, tmp_path / "a", _QUICK)
    assert (tmp_path / "a").read_bytes() == _BODY
    assert archive.num_sent == 0
    assert len(archive.ranges) == 2


def test_a_wrong_checksum_is_told_and_the_file_is_not_kept(tmp_path: Path) -> None:
    with serve_cutouts(Archive()) as server, pytest.raises(ServiceError, match="is not what its checksum says"):
        fetch_file(server.url, tmp_path / "a", _QUICK, checksum="sha256:" + "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_an_address_without_a_file_is_told_at_once(tmp_path: Path) -> None:
    with serve_cutouts(lambda handler, times: handler.send(b"", status=404)) as server:
        with pytest.raises(ServiceError, match="status 404"):
            fetch_file(server.url, tmp_path / "a", _QUICK)
        assert len(server.requests) == 1


def test_a_run_reads_an_archive_on_disk_or_at_an_address(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    table = pd.DataFrame({"objID": _FIRST + np.arange(40), "oh_p50": random.normal(8.9, 0.2, 40)})
    table.to_csv(tmp_path / "catalog.csv", index=False)
    archive = pack(tmp_path / "images.tar.gz", make_files(39))
    plain = "\n".join(line for line in QUICK.splitlines() if not line.startswith("cutouts."))
    settings = """
catalog.object_id = "objID"
catalog.targets = ["oh_p50"]
[cutouts]
service = "archive"
archive = "images.tar.gz"
side = 64
framing = "other"
frame_arcsec = 16.768
source = "legacy-sdss"
"""
    (tmp_path / "recipe.toml").write_text(plain + settings)
    output = run(tmp_path)
    assert "39 of 40 have an image of the archive; 1 refused: 1 × has no picture in the archive" in output
    assert list_performed(run(tmp_path)) == []
    sent = archive.read_bytes()

    def send_archive(handler: Handler, times: int) -> bool:
        return handler.send(sent, kind="application/gzip")

    with serve_cutouts(send_archive) as server:
        moved = ("--run-dir", tmp_path / "other", "--set", f"cutouts.archive={server.url}/a.tar.gz?download=1", "--set")
        output = run(tmp_path, *moved, f"cutouts.archive_checksum=md5:{hashlib.md5(sent).hexdigest()}")
        assert "39 of 40" in output
        assert (tmp_path / "run/pixels/pixels.npy").read_bytes() == (tmp_path / "other/pixels/pixels.npy").read_bytes()
        # A new version at the address, which its checksum tells.
        sent = pack(tmp_path / "new.tar.gz", make_files(35)).read_bytes()
        output = run(tmp_path, *moved, f"cutouts.archive_checksum=md5:{hashlib.md5(sent).hexdigest()}")
        assert "35 of 40 have an image" in output
        sent = pack(tmp_path / "new.tar.gz", make_files(33)).read_bytes()
        elsewhere = f"cutouts.archive={server.url}/other/a.tar.gz"
        assert "33 of 40 have an image" in run(tmp_path, *moved[:2], "--set", elsewhere, "--only", "cutouts")


def test_an_archive_that_is_replaced_under_the_same_name_is_read_anew(tmp_path: Path) -> None:
    archive = pack(tmp_path / "images.zip", make_files(6))
    wanted = np.arange(_FIRST, _FIRST + 8)

    def read_all() -> dict[int, bytes]:
        report = import_archive(wanted, archive, _PICTURES, tmp_path / "store")
        reader = FileReader(tmp_path / "store")
        return dict(zip(report.fetched["object_id"].tolist(), map(reader.read, report.fetched["path"]), strict=True))

    old, content = read_all(), archive.read_bytes()
    others = {name: make_galaxy(100 + n, 64) for n, name in enumerate(make_files(8))}
    pack(archive, others)
    assert list(read_all().values()) == list(others.values())
    # What was read of the old one is still known to be of it.
    num_parts = len(list((tmp_path / "store").glob("part-*.parquet")))
    archive.write_bytes(content)
    assert read_all() == old
    assert len(list((tmp_path / "store").glob("part-*.parquet"))) == num_parts


def test_an_archive_that_is_not_there_is_told(tmp_path: Path) -> None:
    pd.DataFrame({"objID": [1, 2], "oh_p50": [8.9, 9.0]}).to_csv(tmp_path / "catalog.csv", index=False)
    plain = "\n".join(line for line in QUICK.splitlines() if not line.startswith("cutouts."))
    settings = '\ncatalog.object_id = "objID"\ncatalog.targets = ["oh_p50"]\ncutouts.service = "archive"\n'
    (tmp_path / "recipe.toml").write_text(plain + settings)
    assert "needs archive" in refuse_run(tmp_path, status=2)
    assert "There is no archive" in refuse_run(tmp_path, "--set", "cutouts.archive=none.tar.gz")
