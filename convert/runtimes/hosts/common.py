"""One judge host: a native runtime behind one connection on descriptor 3.

The protocol is in convert/runtimes/runtime.h, the framing in common/base/channel.h. A runtime gives a class with
`name`, `version`, `load(files, configuration)` and a session with `inputs`, `outputs`, `run(inputs, want)`.
Hosts run jailed: nothing here opens a socket, starts a process or writes a file.
"""
import os

# Before any native library starts its thread pool or its telemetry.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import array
import fcntl
import json
import mmap
import socket
import struct
import sys

import numpy as np

CONNECTION = 3
MAX_BODY = 64 << 20
MAX_FDS = 128
DTYPES = {name: np.dtype(name) for name in (
    "float32", "float16", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool")}
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class HostError(Exception):
    """A failure with a code for the peer: INVALID_ARGUMENT, UNIMPLEMENTED, NOT_FOUND or INTERNAL."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class EndOfStream(Exception):
    pass


class Connection:
    def __init__(self, descriptor):
        # Family, type and protocol are said, so that Python need not ask for them; no socket() call happens.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptor)

    def receive(self):
        """One frame: (body, descriptors)."""
        fds = []
        header = b""
        try:
            while len(header) < 8:
                # The descriptors come with the frame's first byte.
                part, ancillary, _, _ = self._socket.recvmsg(
                    8 - len(header), socket.CMSG_SPACE(4 * MAX_FDS), socket.MSG_CMSG_CLOEXEC)
                for level, kind, data in ancillary:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        numbers = array.array("i")
                        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                        fds.extend(numbers)
                if not part:
                    raise EndOfStream()
                header += part
            length, count = struct.unpack("<II", header)
            if length > MAX_BODY or count > MAX_FDS or count != len(fds):
                raise EndOfStream()
            body = bytearray(length)
            view = memoryview(body)
            while view:
                got = self._socket.recv_into(view)
                if got == 0:
                    raise EndOfStream()
                view = view[got:]
            return body, fds
        except BaseException:
            close_all(fds)
            raise

    def send(self, body, fds):
        message = struct.pack("<II", len(body), len(fds)) + body
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self._socket.sendmsg([message], ancillary, socket.MSG_NOSIGNAL)
        self._socket.sendall(memoryview(message)[sent:], socket.MSG_NOSIGNAL)


def close_all(fds):
    for fd in fds:
        os.close(fd)


def tensor_from_memory(fd, description):
    """A read-only array over a memfd; the mapping lives as long as the array."""
    dtype = DTYPES.get(description["dtype"])
    if dtype is None:
        raise HostError("UNIMPLEMENTED", f"input '{description['name']}': dtype {description['dtype']} is not carried")
    shape = tuple(int(size) for size in description["shape"])
    if any(size < 0 for size in shape):
        raise HostError("INVALID_ARGUMENT", f"input '{description['name']}': shape {list(shape)} has a negative size")
    size = dtype.itemsize
    for length in shape:
        size *= length
    if os.fstat(fd).st_size != size:
        raise HostError("INVALID_ARGUMENT",
                        f"input '{description['name']}': {os.fstat(fd).st_size} bytes given, {size} needed")
    if size == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(mmap.mmap(fd, size, prot=mmap.PROT_READ), dtype).reshape(shape)


def memory_from_tensor(tensor):
    """A sealed memfd that holds the array's bytes, row-major."""
    data = np.ascontiguousarray(tensor)
    fd = os.memfd_create("tensor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        if data.nbytes:
            view = memoryview(data.reshape(-1).view(np.uint8))
            while view:
                view = view[os.write(fd, view):]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        return fd
    except BaseException:
        os.close(fd)
        raise


def cpu_features():
    """The instruction sets that runtimes choose their kernels by."""
    wanted = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni",
              "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp", "i8mm",
              "bf16", "sve")
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() in ("flags", "Features"):
                    flags = set(value.split())
                    return " ".join(feature for feature in wanted if feature in flags)
    except OSError:
        pass  # A jail may hide it; the verdict then has no features rather than wrong ones.
    return ""


def describe(name, tensor):
    if tensor.dtype.name not in DTYPES:
        raise HostError("UNIMPLEMENTED", f"output '{name}': dtype {tensor.dtype} is not carried")
    return {"name": name, "dtype": tensor.dtype.name, "shape": list(tensor.shape)}


class Host:
    def __init__(self, runtime):
        self._runtime = runtime
        self._sessions = {}

    def hello(self, request, fds):
        return {"name": self._runtime.name, "version": self._runtime.version, "cpu_features": cpu_features()}, []

    def load(self, request, fds):
        session = self._runtime.load(request["files"], request.get("configuration", {}))
        self._sessions[request["session"]] = session
        return {"inputs": session.inputs, "outputs": session.outputs}, []

    def run(self, request, fds):
        session = self._sessions.get(request["session"])
        if session is None:
            raise HostError("INVALID_ARGUMENT", f"no session {request['session']}")
        descriptions = request["inputs"]
        if len(descriptions) != len(fds):
            raise HostError("INVALID_ARGUMENT", f"{len(descriptions)} inputs described, {len(fds)} sent")
        inputs = {d["name"]: tensor_from_memory(fd, d) for d, fd in zip(descriptions, fds)}
        want = request.get("want") or [output["name"] for output in session.outputs]
        if len(want) > MAX_FDS:
            raise HostError("INVALID_ARGUMENT", f"{len(want)} tensors asked for, {MAX_FDS} at most")
        try:
            outputs = [np.asarray(tensor) for tensor in session.run(inputs, want)]
        except (HostError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001: whatever a runtime throws: the model cannot run so
            if is_out_of_memory(error):
                raise MemoryError from None
            raise HostError("INVALID_ARGUMENT", one_line(error)) from None
        described = [describe(name, tensor) for name, tensor in zip(want, outputs)]
        memory = []
        try:
            for tensor in outputs:
                memory.append(memory_from_tensor(tensor))
        except BaseException:
            close_all(memory)
            raise
        return {"outputs": described}, memory

    def unload(self, request, fds):
        self._sessions.pop(request["session"], None)
        return {}, []

    def answer(self, body, fds):
        try:
            request = json.loads(bytes(body))
            handler = {"hello": self.hello, "load": self.load, "run": self.run, "unload": self.unload}.get(
                request.get("op"))
            if handler is None:
                raise HostError("INVALID_ARGUMENT", f"no operation '{request.get('op')}'")
            return handler(request, fds)
        except HostError as error:
            code = "RESOURCE_EXHAUSTED" if is_out_of_memory(error) else error.code
            return {"error": one_line(error), "code": code}, []
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            return {"error": f"malformed request: {one_line(repr(error))}", "code": "INVALID_ARGUMENT"}, []
        except MemoryError:
            return {"error": "out of memory", "code": "RESOURCE_EXHAUSTED"}, []
        except Exception as error:  # noqa: BLE001: whatever a runtime throws must reach the peer
            return {"error": one_line(error), "code": "INTERNAL"}, []


def is_out_of_memory(error):
    """Whether a runtime says that it got no memory; each has its own words."""
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("bad_alloc", "bad allocation", "Failed to allocate memory"))


def one_line(error):
    return " ".join(str(error).split())[:2000] or type(error).__name__


class MissingRuntime:
    """Stands in for a runtime that cannot be imported: every request says so."""

    def __init__(self, name, error):
        self._message = f"{name} is not installed: {one_line(error)}"

    def __getattr__(self, attribute):
        raise HostError("NOT_FOUND", self._message)


def serve(name, make_runtime):
    """Serves until the peer closes the connection. `make_runtime` imports the native runtime."""
    try:
        runtime = make_runtime()
    except ImportError as error:
        runtime = MissingRuntime(name, error)
    host = Host(runtime)
    connection = Connection(CONNECTION)
    while True:
        try:
            body, fds = connection.receive()
        except (EndOfStream, ConnectionError):
            return
        memory = []
        try:
            reply, memory = host.answer(body, fds)
            connection.send(json.dumps(reply).encode(), memory)
        except (BrokenPipeError, ConnectionError):
            return
        finally:
            close_all(fds)
            close_all(memory)


def leave():
    """Ends the process without the native libraries' destructors, which may hang or crash in a jail."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
