"""LiteRT (TFLite) on the CPU. Configurations: {"kernels": "xnnpack"} or {"kernels": "built-in"}.

Names are those of the signature "serving_default", or of the tensors in a model without signatures. With the built-in kernels
every tensor keeps its memory, so inner tensors can be asked for by their names.
"""
import numpy as np

from common import HostError, leave, serve


class Session:
    def __init__(self, interpreter, shows_inner):
        self._interpreter = interpreter
        inputs = {d["index"]: d for d in interpreter.get_input_details()}
        outputs = {d["index"]: d for d in interpreter.get_output_details()}
        signature = interpreter._get_full_signature_list().get("serving_default")
        if signature is None:
            self._inputs = {d["name"]: d["index"] for d in inputs.values()}
            self._outputs = {d["name"]: d["index"] for d in outputs.values()}
        else:
            self._inputs = dict(signature["inputs"])
            self._outputs = dict(signature["outputs"])
        self._inner = {}
        details = {d["index"]: d for d in interpreter.get_tensor_details()}
        if shows_inner:
            for index in sorted(details):
                self._inner.setdefault(details[index]["name"], index)
        self.inputs = [describe(name, details[index]) for name, index in self._inputs.items()]
        self.outputs = [describe(name, details[index]) for name, index in self._outputs.items()]
        self._shapes = None  # Those of the last allocation.

    def run(self, inputs, want):
        missing = sorted(set(self._inputs) - set(inputs))
        unknown = sorted(set(inputs) - set(self._inputs))
        if missing or unknown:
            raise HostError("INVALID_ARGUMENT", f"inputs missing: {missing}, unknown: {unknown}")
        indices = []
        for name in want:
            index = self._outputs.get(name, self._inner.get(name))
            if index is None:
                raise HostError("INVALID_ARGUMENT", f"no tensor '{name}'")
            indices.append(index)
        shapes = {name: tensor.shape for name, tensor in inputs.items()}
        if shapes != self._shapes:
            current = {d["index"]: tuple(d["shape"]) for d in self._interpreter.get_input_details()}
            for name, shape in shapes.items():
                if current.get(self._inputs[name]) != shape:
                    self._interpreter.resize_tensor_input(self._inputs[name], list(shape))
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, tensor in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in indices]


def describe(name, details):
    signature = details.get("shape_signature")
    shape = signature if signature is not None and len(signature) else details["shape"]
    return {"name": name, "dtype": np.dtype(details["dtype"]).name, "shape": [int(s) for s in shape]}


class LiteRt:
    name = "litert"

    def __init__(self):
        from importlib import metadata

        from ai_edge_litert import interpreter
        self._module = interpreter
        self.version = metadata.version("ai-edge-litert")

    def load(self, files, configuration):
        kernels = configuration.get("kernels", "xnnpack")
        resolvers = {"xnnpack": self._module.OpResolverType.BUILTIN,
                     "built-in": self._module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
        if kernels not in resolvers:
            raise HostError("INVALID_ARGUMENT", f"no kernels '{kernels}'")
        shows_inner = kernels == "built-in"
        try:
            interpreter = self._module.Interpreter(
                model_path=files[0], num_threads=1, experimental_op_resolver_type=resolvers[kernels],
                experimental_preserve_all_tensors=shows_inner)
            interpreter.allocate_tensors()
            return Session(interpreter, shows_inner)
        except HostError:
            raise
        except Exception as error:
            raise HostError("INVALID_ARGUMENT", str(error)) from None


if __name__ == "__main__":
    serve("litert", LiteRt)
    leave()
