"""Make the pictures of data/photographs from files that come with scikit-image.

    python tools/make_photographs.py FOLDER

writes FOLDER/NAME.jpg and prints each file's SHA-256. Needed once: the pictures are kept in the
repository, and another version of the JPEG encoder may write different bytes for the same picture.
"""

import argparse
import hashlib
from pathlib import Path

import skimage.data
from PIL import Image

# Only files inside scikit-image's own package, each in the public domain or under CC0. Its
# motorcycle (Middlebury stereo 2014) is left out: no licence is stated for it.
PICTURES = {
    "astronaut": "astronaut.png",
    "cameraman": "camera.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
}
LONGEST_SIDE_PX = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write the pictures")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in PICTURES.items():
        with Image.open(Path(skimage.data.__file__).parent / file) as picture:
            picture.load()
        if max(picture.size) > LONGEST_SIDE_PX:
            ratio = LONGEST_SIDE_PX / max(picture.size)
            size = tuple(round(side * ratio) for side in picture.size)
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        path = folder / f"{name}.jpg"
        picture.save(path, quality=92, optimize=True)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{digest}  {path.stat().st_size / 1000:.0f} kB  {path}")


if __name__ == "__main__":
    main()
