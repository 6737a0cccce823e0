"""A TCP proxy that a schedule can cut, slow down, silence or let garble what passes."""
import random
import selectors
import socket
import threading
import time


class Proxy:
    """Listens on 127.0.0.1 and passes bytes on to what `upstream` says at the time ("127.0.0.1:PORT" or a Unix socket's path)."""

    def __init__(self, name, upstream):
        self.name, self._upstream = name, upstream
        self.delay = 0.0      # seconds that everything is held back
        self.silent = False   # nothing passes, nothing is closed
        self.garble = 0       # of so many objects that come from upstream by HTTP a bit changes on the way
        self._pairs = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends every connection, as a router that lost its table does."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _connect(self):
        upstream = self._upstream()
        if upstream.startswith("/"):
            far = socket.socket(socket.AF_UNIX)
            far.connect(upstream)
            return far
        host, port = upstream.rsplit(":", 1)
        return socket.create_connection((host, int(port)))

    def _serve(self, near):
        try:
            far = self._connect()
        except OSError:
            near.close()
            return
        pair = (near, far)
        with self._lock:
            self._pairs.add(pair)
        try:
            self._pump(near, far)
        except OSError:
            pass
        finally:
            with self._lock:
                self._pairs.discard(pair)
            near.close()
            far.close()

    def _pump(self, near, far):
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select(timeout=1):
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if self.delay:
                        time.sleep(self.delay)
                    while self.silent:
                        time.sleep(0.02)
                    if self.garble and key.fileobj is far:
                        data = self._garbled(data)
                    key.data.sendall(data)

    def _garbled(self, data):
        """A server's words about itself and its objects (XML) are let pass."""
        head, end, body = data.partition(b"\r\n\r\n")
        if not (body and head.startswith(b"HTTP/") and b"xml" not in head):
            return data
        with self._lock:
            if not self.garble:
                return data
            self.garble -= 1
        at = random.randrange(len(body))
        return head + end + body[:at] + bytes([body[at] ^ 1 << random.randrange(8)]) + body[at + 1:]
