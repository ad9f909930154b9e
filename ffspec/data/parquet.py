"""Whether the sizes that a Parquet file states can be true, looked at before it is read.

A library that believes a damaged file asks for exabytes, and then the whole process ends. The sizes are in the file's
footer and before every page, in Thrift's compact protocol: of each struct this reads the numbers, by field.
"""

from __future__ import annotations

from mmap import mmap
from typing import TypeAlias

Value: TypeAlias = "int | bytes | list[Value] | dict[int, Value] | None"
Struct: TypeAlias = "dict[int, Value]"
Bytes: TypeAlias = "bytes | mmap"

MARK = b"PAR1"
DEPTH = 16
"""Structs and lists within each other, at most; a real file has five."""

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
"""Thrift's names for its types; those between BYTE and DOUBLE are whole numbers."""

# The fields of the format that are looked at, by their numbers in parquet.thrift.
FILE_ROWS, FILE_GROUPS = 3, 4
GROUP_COLUMNS, GROUP_ROWS = 1, 3
COLUMN_FILE, COLUMN_META = 1, 3
META_VALUES, META_SIZE, META_PAGES, META_DICTIONARY = 5, 7, 9, 11
PAGE_UNPACKED, PAGE_PACKED, PAGE_DATA, PAGE_DICTIONARY, PAGE_DATA_2 = 2, 3, 5, 7, 8
HEADER_VALUES = 1


class Damaged(ValueError):
    """What a file says of itself cannot be true."""


def largest_page(data: Bytes) -> int:
    """Return the bytes of the largest page when unpacked; of a file without rows, whose pages nobody reads, 0.

    Raises:
        Damaged: A size is negative, leads out of the file, or contradicts another one.
    """
    groups = _groups(data)
    if not any(_count(group, GROUP_ROWS) for group in groups):
        return 0
    pages = [0]
    for group in groups:
        for column in map(_struct, _list(group.get(GROUP_COLUMNS))):
            if column.get(COLUMN_FILE):
                raise Damaged("a column is in another file")
            pages += _pages(data, _struct(column.get(COLUMN_META)), _count(group, GROUP_ROWS))
    return max(pages)


def rows_of_groups(data: Bytes) -> list[int]:
    """Return how many rows each row group has.

    Raises:
        Damaged: Numbers of rows contradict each other.
    """
    return [_count(group, GROUP_ROWS) for group in _groups(data)]


def _groups(data: Bytes) -> list[Struct]:
    """Return the row groups that the end of a file describes."""
    if len(data) < 12 or data[:4] != MARK or data[-4:] != MARK:
        raise Damaged("it does not begin and end with PAR1")
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = _Thrift(data, max(start, 4), len(data) - 8).struct()
    groups = [_struct(group) for group in _list(footer.get(FILE_GROUPS))]
    if sum(_count(group, GROUP_ROWS) for group in groups) != _count(footer, FILE_ROWS):
        raise Damaged("its parts have other rows than the whole")
    return groups


def _pages(data: Bytes, meta: Struct, rows: int) -> list[int]:
    """Return the size of each page of a column in one part of the file."""
    values, at = _count(meta, META_VALUES), _count(meta, META_PAGES)
    if meta.get(META_DICTIONARY):
        at = min(at, _count(meta, META_DICTIONARY))
    end = at + _count(meta, META_SIZE)
    if end > len(data) or values < rows:
        raise Damaged("a column leads out of it")
    sizes, found = [], 0
    while at < end:
        reader = _Thrift(data, at, end)
        page = reader.struct()
        for header in (PAGE_DATA, PAGE_DATA_2, PAGE_DICTIONARY):
            numbers = _struct(page.get(header, {}))
            if any(isinstance(number, int) and number < 0 for number in numbers.values()):
                raise Damaged("a page has a negative size")
            if header != PAGE_DICTIONARY:
                found += _count(numbers, HEADER_VALUES) if numbers else 0
            elif numbers and _count(numbers, HEADER_VALUES) > _count(page, PAGE_UNPACKED):
                raise Damaged("a page is too small for its values")
        sizes.append(_count(page, PAGE_UNPACKED))
        at = reader.at + _count(page, PAGE_PACKED)
    if at != end or found != values:
        raise Damaged("a column has other values than its pages")
    return sizes


def _count(struct: Struct, field: int) -> int:
    """Return a number that cannot be negative."""
    value = struct.get(field)
    if not isinstance(value, int) or value < 0:
        raise Damaged("a size is missing or negative")
    return value


def _list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise Damaged("a list is missing")
    return value


def _struct(value: Value) -> Struct:
    if not isinstance(value, dict):
        raise Damaged("a part is missing")
    return value


class _Thrift:
    """Reads values of the compact protocol from a stretch of bytes."""

    def __init__(self, data: Bytes, at: int, end: int) -> None:
        self._data, self.at, self._end = data, at, end

    def struct(self, depth: int = 0) -> Struct:
        """Read a struct: its fields by their numbers."""
        fields: Struct = {}
        number = 0
        while (head := self._byte()) != 0:
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            fields[number] = int(kind == TRUE) if kind in (TRUE, FALSE) else self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Value:
        if depth > DEPTH:
            raise Damaged("its parts nest too deeply")
        if kind in (TRUE, FALSE, BYTE):  # in a list, a truth value is a byte
            return self._byte()
        if kind < DOUBLE:
            return self._signed()
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._unsigned())
        if kind in (LIST, SET):
            head = self._byte()
            size = head >> 4 if head >> 4 != 15 else self._unsigned()
            return [self._value(head & 15, depth + 1) for _ in range(self._at_most(size))]
        if kind == MAP:
            size = self._at_most(self._unsigned())
            kinds = self._byte() if size else 0
            return [self._value(kind, depth + 1) for _ in range(size) for kind in (kinds >> 4, kinds & 15)]
        if kind == STRUCT:
            return self.struct(depth)
        raise Damaged("a part is of no known kind")

    def _at_most(self, size: int) -> int:
        """Return a number of items, each of which takes a byte at least."""
        if size > self._end - self.at:
            raise Damaged("a list leads out of it")
        return size

    def _take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + self._at_most(size)]
        self.at += size
        return taken

    def _byte(self) -> int:
        return self._take(1)[0]

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise Damaged("a number does not end")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
