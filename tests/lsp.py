"""A client of a language server that speaks the Language Server Protocol over standard input and output."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECONDS = 20.0
"""How long an answer may take on a busy machine."""


class Client:
    """One running server and the documents opened in it, as an editor would have them."""

    def __init__(self, command: Sequence[str], folder: Path, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._published: dict[str, queue.Queue[list[dict[str, Any]]]] = {}
        self._last = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._folder = folder

    def __enter__(self) -> Self:
        """Shake hands."""
        self._reader.start()
        try:
            self._greet()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server, and insist."""
        self._end()

    def open(self, path: Path, text: str) -> str:
        """Show the server a document that need not exist, and return its URI."""
        uri = path.as_uri()
        self._published[uri] = queue.Queue()
        self._notify(
            "textDocument/didOpen", textDocument={"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        )
        return uri

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """Return what the server finds in an open document, once it has looked."""
        return self._published[uri].get(timeout=SECONDS)

    def request(self, method: str, **parameters: Any) -> Any:
        """Ask the server, and wait for its answer."""
        self._last += 1
        answer = self._answers[self._last] = queue.Queue()
        self._send({"id": self._last, "method": method, "params": parameters})
        message = answer.get(timeout=SECONDS)
        assert "error" not in message, message
        return message["result"]

    def _greet(self) -> None:
        uri = self._folder.as_uri()
        capabilities = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {"hover": {"contentFormat": ["markdown"]}, "publishDiagnostics": {}},
        }
        folders = [{"uri": uri, "name": self._folder.name}]
        self.request("initialize", processId=None, rootUri=uri, capabilities=capabilities, workspaceFolders=folders)
        self._notify("initialized")
        self._notify("workspace/didChangeConfiguration", settings=dict(self._settings))

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()

    def _notify(self, method: str, **parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        pipe = self._process.stdin
        assert pipe is not None
        with self._lock:
            pipe.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            pipe.flush()

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        while line := pipe.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = pipe.readline()
            self._take(json.loads(pipe.read(length)))
        for answer in self._answers.values():
            answer.put({"error": "the server has ended"})

    def _take(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method is None:
            self._answers[message["id"]].put(message)
        elif method == "textDocument/publishDiagnostics":
            if (published := self._published.get(parameters["uri"])) is not None:
                published.put(parameters["diagnostics"])
        elif "id" in message:
            items = parameters.get("items", ()) if method == "workspace/configuration" else ()
            result = [self._settings.get(item.get("section")) for item in items] or None
            self._send({"id": message["id"], "result": result})
