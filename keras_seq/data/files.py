"""Find a data file: on this machine if it is here, else where it was made.

The folder named by the environment variable KERAS_SEQ_DATA comes first, then
Keras's own cache, then a download into that cache. Every file is held to its
checksum, because a number measured on other data is another number.
"""

import hashlib
import os
from pathlib import Path

import keras

FOLDER_VARIABLE = "KERAS_SEQ_DATA"


def find_file(name, url, sha256, origin=None):
    """Return the path of a data file, downloading it if need be.

    Args:
        name: str, folder and file, as "tinyshakespeare/input.txt".
        url: str, where to download the file, or None if it stands nowhere.
        sha256: str, the checksum that the file must have, in hex.
        origin: str, where the file comes from, for the error message.
            Default None, the `url`.
    Returns:
        pathlib.Path of a file with this checksum.
    Raises:
        FileNotFoundError: if the file is in no folder and no download works;
            names the file, where it was sought and its origin.
        ValueError: if a file of this name has another checksum.
    """
    places = [folder / name for folder in _folders()]
    # Keras checks the cache itself, and replaces a damaged file there.
    for path in places[:-1] if url else places:
        if path.exists():
            return _checked(path, name, sha256)
    try:
        return _download(name, url, sha256)
    except Exception as error:  # Keras raises bare Exceptions
        sought = ", ".join(str(place) for place in places)
        raise FileNotFoundError(
            f"The data file {name} is missing. Looked for: {sought}. "
            f"Download: {error}. Origin: {origin or url}. Put the file into "
            f"the folder named by the environment variable {FOLDER_VARIABLE}."
        ) from error


def _folders():
    """List the folders to search, Keras's cache as the last."""
    own = os.environ.get(FOLDER_VARIABLE)
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    cache = Path(home).expanduser() / "datasets"
    return [Path(own), cache] if own else [cache]


def _checked(path, name, sha256):
    with path.open("rb") as file:
        received = hashlib.file_digest(file, "sha256").hexdigest()
    if received != sha256:
        raise ValueError(
            f"`{name}` must have the sha256 checksum {sha256}; the file is "
            f"damaged or another one. Received {received} at {path}."
        )
    return path


def _download(name, url, sha256):
    if url is None:
        raise FileNotFoundError("there is no public copy of this very file")
    folder, _, file = name.rpartition("/")
    return Path(
        keras.utils.get_file(
            file,
            origin=url,
            cache_subdir=f"datasets/{folder}",
            file_hash=sha256,
            hash_algorithm="sha256",
        )
    )
