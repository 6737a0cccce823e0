"""NumPy's .npz files, and .safetensors files written by hand after the format's definition, good and bad: array_files.py OUT

OUT/index.json lists the arrays; tensors are files of raw little-endian bytes."""
import io
import json
import os
import struct
import sys
import zipfile

import numpy as np

OUT = sys.argv[1]
random = np.random.default_rng(5)
INDEX = {"arrays": [], "bad": {}, "safetensors": []}


def write(name, data):
    with open(os.path.join(OUT, name), "wb") as file:
        file.write(data)


def entry(name, array, dtype=None):
    path = f"array{len(INDEX['arrays']) + len(INDEX['safetensors'])}.bin"
    write(path, np.ascontiguousarray(array).tobytes())
    return {"name": name, "dtype": dtype or str(array.dtype), "shape": list(array.shape), "file": path}


def npy(array, version=(1, 0)):
    data = io.BytesIO()
    np.lib.format.write_array(data, array, version)
    return data.getvalue()


def npz(name, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(os.path.join(OUT, name), "w", compression) as archive:
        for key, data in entries.items():
            archive.writestr(key + ".npy", data)


def bad(name, code, why):
    INDEX["bad"][name] = {"code": code, "why": why}


# --- npz
base = random.standard_normal((4, 5, 6)).astype(np.float32)
arrays = {"stem.conv.weight": base, "fortran": np.asfortranarray(base), "fortran.matrix": np.asfortranarray(base[0]), "half": base.astype(np.float16),
          "double": base.astype(np.float64), "scalar": np.float32(2.5), "empty": np.zeros((0, 3), np.float32), "flags": np.array([True, False, True]),
          "zeros": np.zeros(50_000, np.float32)}
for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
    info = np.iinfo(kind)
    arrays[kind] = np.array([info.min, 3, info.max], kind)
for name, array in arrays.items():
    INDEX["arrays"].append(entry(name, np.asarray(array)))
texts = {"note": np.array(["lite", "10 classes"]), "raw": np.array(b"bytes"), "when": np.array("2020-01-01", "M8[D]")}
np.savez(os.path.join(OUT, "stored.npz"), **arrays, **texts)
np.savez_compressed(os.path.join(OUT, "deflated.npz"), **arrays, **texts)
for version in ((1, 0), (2, 0), (3, 0)):
    npz(f"version{version[0]}.npz", {name: npy(np.asarray(array), version) for name, array in arrays.items()})


def header(text, data=b"\0" * 24, version=b"\1\0"):
    text = text.encode("latin1")
    return b"\x93NUMPY" + version + (struct.pack("<H", len(text)) if version == b"\1\0" else struct.pack("<I", len(text))) + text + data


GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
for name, (data, code, why) in {
        "objects": (header(GOOD.replace("<f4", "|O")), "INVALID_ARGUMENT", "Python objects"),
        "complex": (npy(np.zeros(3, np.complex64)), "UNIMPLEMENTED", "complex"),
        "big-endian": (npy(base.astype(">f4")), "UNIMPLEMENTED", "big-endian"),
        "structured": (npy(np.zeros(3, [("a", "<f4"), ("b", "<i4")])), "UNIMPLEMENTED", "structured"),
        "long-double": (header(GOOD.replace("<f4", "<f16")), "UNIMPLEMENTED", "f16"),
        "too-large": (header(GOOD.replace("(2, 3)", "(4000000000, 4000000000)")), "DATA_LOSS", "24 bytes follow"),
        "overflow": (header(GOOD.replace("(2, 3)", "(4611686018427387904, 4)")), "DATA_LOSS", "24 bytes follow"),
        "too-small": (header(GOOD.replace("(2, 3)", "(2, 2)")), "DATA_LOSS", "24 bytes follow"),
        "negative": (header(GOOD.replace("(2, 3)", "(-2, -3)")), "DATA_LOSS", "damaged .npy header"),
        "no-shape": (header("{'descr': '<f4', 'fortran_order': False}"), "DATA_LOSS", "damaged .npy header"),
        "twice": (header(GOOD.replace("{", "{'descr': '<f8', ")), "DATA_LOSS", "damaged .npy header"),
        "code": (header("__import__('os').system('true')"), "DATA_LOSS", "damaged .npy header"),
        "deep": (header("{'descr': " + "[" * 60000), "DATA_LOSS", "damaged .npy header"),
        "header-beyond": (b"\x93NUMPY\1\0\xff\xff{}", "DATA_LOSS", "header of 65545"),
        "header-huge": (b"\x93NUMPY\2\0\xff\xff\xff\xff{}", "DATA_LOSS", "claims 4294967295 bytes"),
        "version": (header(GOOD, version=b"\x09\0"), "UNIMPLEMENTED", "version 9"),
        "mark": (b"no array at all, truly", "DATA_LOSS", "NumPy's mark"),
        "nothing": (b"", "DATA_LOSS", "NumPy's mark")}.items():
    for form, compression in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        path = f"{name}-{form}.npz"
        npz(path, {"good": npy(base), "w": data}, compression)
        bad(path, code, why)


def patched(source, path, change, code, why):
    """A copy with one field of the last central directory record changed."""
    with open(os.path.join(OUT, source), "rb") as file:
        data = bytearray(file.read())
    change(data, data.rindex(b"PK\1\2"))
    write(path, bytes(data))
    bad(path, code, why)


npz("one.npz", {"w": npy(base)})
npz("one-deflated.npz", {"w": npy(base)}, zipfile.ZIP_DEFLATED)
with zipfile.ZipFile(os.path.join(OUT, "bzip2.npz"), "w", zipfile.ZIP_BZIP2) as archive:
    archive.writestr("w.npy", npy(base))
bad("bzip2.npz", "UNIMPLEMENTED", "compressed otherwise than by deflate")
patched("one.npz", "checksum.npz", lambda d, at: struct.pack_into("<I", d, at + 16, 1), "DATA_LOSS", "checksum")
patched("one-deflated.npz", "checksum-deflated.npz", lambda d, at: struct.pack_into("<I", d, at + 16, 1), "DATA_LOSS", "checksum")
patched("one-deflated.npz", "bomb.npz", lambda d, at: struct.pack_into("<I", d, at + 24, 0x7fffffff), "DATA_LOSS", "cannot be deflated")
patched("one-deflated.npz", "longer.npz", lambda d, at: struct.pack_into("<I", d, at + 24, struct.unpack_from("<I", d, at + 24)[0] + 4), "DATA_LOSS", "bytes follow")
patched("one.npz", "outside.npz", lambda d, at: struct.pack_into("<II", d, at + 20, 1 << 30, 1 << 30), "DATA_LOSS", "not within")
patched("one-deflated.npz", "encrypted.npz", lambda d, at: struct.pack_into("<H", d, at + 8, 1), "UNIMPLEMENTED", "encrypted")

# --- safetensors
def safetensors(name, head, data, length=None):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    write(name, struct.pack("<Q", len(text) if length is None else length) + text + data)


kinds = {"F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64",
         "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"}
head, data = {"__metadata__": {"format": "pt"}}, b""


def append(name, kind, array, dtype=None):
    global data
    INDEX["safetensors"].append(entry(name, array, dtype))
    raw = np.ascontiguousarray(array).tobytes()
    head[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw


for kind, dtype in kinds.items():
    append("net." + kind, kind, random.integers(0, 2, (3, 5)).astype(dtype))
append("brain", "BF16", (base[0].view(np.uint32) >> 16).astype(np.uint16), "bfloat16")
append("scalar", "F32", np.array(7.5, np.float32))
append("empty", "F32", np.zeros((0, 4), np.float32))
safetensors("good.safetensors", dict(reversed(head.items())), data)
safetensors("padded.safetensors", json.dumps(head).encode() + b"    ", data)


def one(**changes):
    return {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changes}}


DATA = bytes(24)
for name, (content, raw, length, code, why) in {
        "length-beyond": (one(), DATA, 1 << 20, "DATA_LOSS", "a header of 1048576 bytes in a file of"),
        "length-huge": (one(), DATA, 1 << 40, "DATA_LOSS", "truncated safetensors"),
        "not-json": (b"{'w': 1}", DATA, None, "DATA_LOSS", "no JSON object"),
        "deep": (b'{"w":' + b"[" * 100000 + b"]" * 100000 + b"}", DATA, None, "DATA_LOSS", "nests more than"),
        "no-dtype": ({"w": {"shape": [2, 3], "data_offsets": [0, 24]}}, DATA, None, "DATA_LOSS", "no dtype, shape"),
        "shape-text": (one(shape="2,3"), DATA, None, "DATA_LOSS", "no dtype, shape"),
        "shape-negative": (one(shape=[-2, -3]), DATA, None, "DATA_LOSS", "no dtype, shape"),
        "shape-fraction": (one(shape=[2.0, 3]), DATA, None, "DATA_LOSS", "no dtype, shape"),
        "three-offsets": (one(data_offsets=[0, 12, 24]), DATA, None, "DATA_LOSS", "no dtype, shape"),
        "too-large": (one(shape=[4000000000, 4000000000]), DATA, None, "DATA_LOSS", "in 24 bytes"),
        "overflow": (one(shape=[4611686018427387904, 4]), DATA, None, "DATA_LOSS", "in 24 bytes"),
        "too-small": (one(shape=[2, 2]), DATA, None, "DATA_LOSS", "in 24 bytes"),
        "backwards": (one(data_offsets=[24, 0]), DATA, None, "DATA_LOSS", "claims the bytes 24 to 0"),
        "truncated": (one(), DATA[:20], None, "DATA_LOSS", "claims the bytes 0 to 24 of 20"),
        "outside": (one(data_offsets=[1 << 62, (1 << 62) + 24]), DATA, None, "DATA_LOSS", "truncated or its header damaged"),
        "gap": (one(data_offsets=[8, 32]), bytes(32), None, "DATA_LOSS", "behind a gap"),
        "behind": (one(), bytes(32), None, "DATA_LOSS", "8 bytes behind the last tensor"),
        "overlap": ({**one(), "v": {"dtype": "F32", "shape": [3], "data_offsets": [16, 28]}}, bytes(28), None, "DATA_LOSS", "within a tensor"),
        "complex": (one(dtype="C64", shape=[3]), DATA, None, "UNIMPLEMENTED", "dtype C64"),
        "float8": (one(dtype="F8_E4M3", shape=[24]), DATA, None, "UNIMPLEMENTED", "dtype F8_E4M3"),
        "none": ({"__metadata__": {}}, b"", None, "INVALID_ARGUMENT", "holds no tensors")}.items():
    safetensors(name + ".safetensors", content, raw, length)
    bad(name + ".safetensors", code, why)

with open(os.path.join(OUT, "index.json"), "w") as file:
    json.dump(INDEX, file)
