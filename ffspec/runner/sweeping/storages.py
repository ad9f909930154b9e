"""Where a shared sweep is kept: a database or a journal that optuna opens, and what is said when it cannot.

What a URL says of a password is written nowhere: not to the run directory, nor into a message.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffspec.diagnostics import FfspecError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60
"""Seconds one process waits for another that writes to the same SQLite file."""
KINDS = "postgresql+psycopg://user@host/database, sqlite:///file.db, or the path of a journal"
SECRET = re.compile(r"://[^/\s:]*:(.*)@")


def opened(storage: str, optuna: Any) -> Any:
    """Return the storage at a URL, or the journal at a path."""
    if "://" not in storage:
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(storage))
    # A connection that was idle through a long training may have been closed by the other side.
    settings: dict[str, Any] = {"pool_pre_ping": True}
    if storage.startswith("sqlite"):
        settings["connect_args"] = {"timeout": PATIENCE}
    return optuna.storages.RDBStorage(storage, engine_kwargs=settings)


@contextmanager
def reaching(storage: str) -> Iterator[None]:
    """Say in a line what is wrong with a storage that cannot be read or written.

    Raises:
        StorageError: It cannot.
    """
    try:
        yield
    except FfspecError:
        raise
    except Exception as error:
        raise StorageError(f"cannot use the storage of the sweep: {_reason(error, storage)}") from error


def _reason(error: Exception, storage: str) -> str:
    """Return what is wrong, in a line, and what to write."""
    chain: list[Any] = [error]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    missing = next((one.name for one in chain if isinstance(one, ImportError) and one.name), None)
    if missing is not None:
        if storage.startswith("postgresql"):
            hint = "pip install 'ffspec[postgresql]', and write postgresql+psycopg://user@host/database"
        else:
            hint = f"install it, or write {KINDS}"
        return f"it needs {missing}, which is not installed; {hint}"
    wrong = _wrong_file(storage) if storage.startswith("sqlite:") else None
    if wrong is not None:
        return _hidden(wrong, storage)
    if any(type(one).__name__ in {"NoSuchModuleError", "ArgumentError"} for one in chain):
        return f"'{storage.partition(':')[0]}' is no database that is known; write {KINDS}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}: {storage}"
    if type(error) is ValueError:
        return f"its URL cannot be read; write {KINDS}"
    said = next((one.orig for one in chain if getattr(one, "orig", None)), error)
    return _hidden(" ".join(str(said).split()) or type(said).__name__, storage)


def _wrong_file(storage: str) -> str | None:
    """Return what is wrong with the address of a file of SQLite, if anything is."""
    slashes, file = storage.startswith("sqlite:///"), storage.removeprefix("sqlite:")
    if not slashes:
        message = "the address of a file of SQLite has three slashes, and four where its path begins with one"
        return f"{message}; write sqlite:///{file.lstrip('/')}"
    folder = Path(file.removeprefix("///")).parent
    return None if folder.is_dir() else f"there is no folder {folder} for its file"


def _hidden(text: str, storage: str) -> str:
    """Return a text without the password of a URL, or parts of it."""
    found = SECRET.search(storage)
    for part in re.split(r"[@:/]", found[1]) if found else ():
        text = text.replace(part, "***") if part else text
    return text
