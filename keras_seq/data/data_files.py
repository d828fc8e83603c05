"""Data files: find a file on this machine, or download it.

The folder named by the environment variable KERAS_SEQ_DATA is searched first,
then the cache of Keras; then the file is downloaded into that cache. Every
file is compared with its checksum, because published figures hold for one
version of the data only.
"""

import hashlib
import os
from pathlib import Path

import keras

FOLDER_VARIABLE = "KERAS_SEQ_DATA"


def find_file(name, url, sha256, origin=None):
    """Return the path of a data file, and download it if necessary.

    Args:
        name: str, folder and file, e.g. "tinyshakespeare/input.txt".
        url: optional str, URL of the file; None if it is not published.
        sha256: str, the expected checksum, in hex.
        origin: optional str, where the file comes from, for the error
            message. Default None: `url`.
    Returns:
        pathlib.Path of a file with this checksum.
    Raises:
        FileNotFoundError: if the file is in none of the folders and the
            download fails; the message names the file, the folders and the
            origin.
        ValueError: if a file of this name has another checksum.
    Example:
        >>> from keras_seq import data
        >>> try:
        ...     data.find_file("no/file.txt", None, "00")
        ... except FileNotFoundError:
        ...     print("missing")
        missing
    """
    paths = [folder / name for folder in _folders()]
    # Keras checks its cache itself, and replaces a damaged file there.
    for path in paths[:-1] if url else paths:
        if path.exists():
            return _checked(path, name, sha256)
    try:
        return _download(name, url, sha256)
    except Exception as error:  # Keras raises bare Exceptions
        searched = ", ".join(map(str, paths))
        raise FileNotFoundError(
            f"The data file {name} is missing. Searched: {searched}. "
            f"Download: {error}. Origin: {origin or url}. Put the file into "
            f"the folder named by the environment variable {FOLDER_VARIABLE}."
        ) from error


def _folders():
    """List the folders to search; the last one is the cache of Keras."""
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
            f"damaged or another version. Received {received} at {path}."
        )
    return path


def _download(name, url, sha256):
    if url is None:
        raise FileNotFoundError("there is no public copy of this file")
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
