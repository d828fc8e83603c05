"""python -m look train|build|serve: see `look`."""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def main():
    parser = argparse.ArgumentParser(prog="python -m look")
    parser.add_argument("what", choices=["train", "build", "serve"])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--only", nargs="*", help="names of models to train")
    given = parser.parse_args()
    if given.what == "train":
        from look.train import train

        train(given.only)
        return
    from look import build

    build.build()
    if given.what == "build":
        print(f"Built in {build.BUILT}.")
        return
    print(f"http://127.0.0.1:{given.port}/ (Control-C stops)", flush=True)
    build.server(port=given.port).serve_forever()


if __name__ == "__main__":
    main()
