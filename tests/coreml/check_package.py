"""Whether coremltools reads an .mlpackage that we wrote: check_package.py PACKAGE... Exit 1 with the reason."""
import json
import logging
import os
import re
import struct
import sys

logging.disable(logging.ERROR)
from coremltools.converters.mil.frontend.milproto import load
from coremltools.proto import MIL_pb2, Model_pb2
from google.protobuf.unknown_fields import UnknownFieldSet


def messages(message):
    """Every message inside."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for each in value.values():
                    yield from messages(each)
        elif hasattr(value, "SerializeToString"):
            yield from messages(value)
        else:
            for each in value:
                yield from messages(each)


def check(package):
    manifest = json.load(open(f"{package}/Manifest.json"))
    items = manifest["itemInfoEntries"]
    assert manifest["fileFormatVersion"] == "1.0.0", manifest
    assert items[manifest["rootModelIdentifier"]]["path"] == "com.apple.CoreML/model.mlmodel", manifest
    assert sorted(i["path"] for i in items.values()) == ["com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"], manifest
    for item in items.values():
        assert os.path.exists(f"{package}/Data/{item['path']}"), item
    data = f"{package}/Data/com.apple.CoreML"
    raw = open(f"{data}/model.mlmodel", "rb").read()
    model = Model_pb2.Model()
    model.ParseFromString(raw)
    weights = open(f"{data}/weights/weight.bin", "rb").read()
    count, version = struct.unpack_from("<II", weights)
    assert version == 2 and not any(weights[8:64]), "header"
    offsets = set()
    for message in messages(model):
        assert len(UnknownFieldSet(message)) == 0, f"unknown fields in {type(message).__name__}"
        if not isinstance(message, MIL_pb2.Value) or message.WhichOneof("value") != "blobFileValue":
            continue
        offset = message.blobFileValue.offset
        assert offset % 64 == 0 and offset + 64 <= len(weights), f"offset {offset}"
        sentinel, kind, size, start = struct.unpack_from("<IIQQ", weights, offset)
        assert (sentinel, kind, start) == (0xDEADBEEF, 2, offset + 64), f"metadata at {offset}"
        elements = 1
        for dim in message.type.tensorType.dimensions:
            elements *= dim.constant.size
        assert size == 4 * elements and start + size <= len(weights), f"blob at {offset}"
        assert elements >= 10, f"a blob of {elements} elements"
        offsets.add(offset)
    assert len(offsets) == count, f"{count} blobs, {len(offsets)} referred to"
    function = model.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    names = [o.name for op in block.operations for o in op.outputs] + [i.name for i in function.inputs]
    assert len(set(names)) == len(names), "a name is given twice"
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", n) for n in names), names
    assert [i.name for i in model.description.input] == [i.name for i in function.inputs], "inputs"
    assert [o.name for o in model.description.output] == list(block.outputs), "outputs"
    load.load(model, specification_version=model.specificationVersion, file_weights_dir=f"{data}/weights")


for path in sys.argv[1:]:
    try:
        check(path)
    except Exception as error:
        print(f"{path}: {type(error).__name__}: {error}")
        sys.exit(1)
