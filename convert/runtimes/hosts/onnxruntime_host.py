"""onnxruntime on the CPU. Configurations: {"level": "default"} (a judge) or "reference" (the calculator).

"reference" leaves out layout optimisations (NCHWc), whose kernels sum in another order; all else is as by default.
"""
from common import HostError, leave, serve

NUMPY_NAMES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(bool)": "bool",
    "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8", "tensor(uint16)": "uint16", "tensor(uint32)": "uint32", "tensor(uint64)": "uint64"}


class Session:
    def __init__(self, session):
        self._session = session
        self.inputs = [describe(value) for value in session.get_inputs()]
        self.outputs = [describe(value) for value in session.get_outputs()]

    def run(self, inputs, want):
        results = self._session.run(want, inputs)
        for name, value in zip(want, results):
            if not hasattr(value, "dtype"):
                raise HostError("UNIMPLEMENTED", f"output '{name}' is not a tensor")
        return results


def describe(value):
    shape = [size if isinstance(size, int) else -1 for size in value.shape or []]
    return {"name": value.name, "dtype": NUMPY_NAMES.get(value.type, value.type), "shape": shape}


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self):
        import onnxruntime
        self._ort = onnxruntime
        self.version = onnxruntime.__version__
        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(4)  # What fails is said in the reply.

    def load(self, files, configuration):
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        level = configuration.get("level", "default")
        if level == "reference":
            options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        elif level != "default":
            raise HostError("INVALID_ARGUMENT", f"no optimisation level '{level}'")
        try:
            return Session(self._ort.InferenceSession(files[0], options, providers=["CPUExecutionProvider"]))
        except Exception as error:
            unknown = "NOT_IMPLEMENTED" in str(error) or "is not a registered function/op" in str(error)
            raise HostError("UNIMPLEMENTED" if unknown else "INVALID_ARGUMENT", str(error)) from None


if __name__ == "__main__":
    serve("onnxruntime", OnnxRuntime)
    leave()
