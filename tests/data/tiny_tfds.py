"""A dataset in array_record form, written without TensorFlow: what TFDS leaves on disk."""

import io
import json
import pathlib

import numpy as np
from PIL import Image

from jaxgan.data import catalogue


def write_array_record_dataset(root: pathlib.Path, seed: int = 0, n: int = 5) -> np.ndarray:
    from array_record.python.array_record_module import ArrayRecordWriter

    with catalogue.imported_tfds() as tfds:
        from tensorflow_datasets.core.proto import dataset_info_pb2  # noqa: F401

        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(6, 8, 3)),
                "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            }
        )
    folder = root / "tiny" / "1.2.0"
    folder.mkdir(parents=True)
    images = np.random.default_rng(seed).integers(0, 256, (n, 6, 8, 3), np.uint8)
    writer = ArrayRecordWriter(str(folder / "tiny-train.array_record-00000-of-00001"), "group_size:1")
    for i, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        writer.write(_example({"image": [buffer.getvalue()]}, {"label": [i % 2]}))
    writer.close()
    features.save_config(str(folder))
    info = {
        "name": "tiny",
        "version": "1.2.0",
        "fileFormat": "array_record",
        "moduleName": "tiny",
        "splits": [
            {
                "name": "train",
                "numBytes": "1",
                "shardLengths": [str(n)],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return images


def _example(bytes_features, int_features) -> bytes:
    """A serialised tf.train.Example, by its wire format: field numbers and lengths."""

    def field(number, payload):
        return bytes([number << 3 | 2]) + _varint(len(payload)) + payload

    entries = b""
    for name, values in bytes_features.items():
        feature = field(1, b"".join(field(1, value) for value in values))
        entries += field(1, field(1, name.encode()) + field(2, feature))
    for name, values in int_features.items():
        feature = field(3, field(1, b"".join(_varint(value) for value in values)))
        entries += field(1, field(1, name.encode()) + field(2, feature))
    return field(1, entries)


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
