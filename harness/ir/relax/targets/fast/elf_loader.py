"""Load the code of a relocatable ELF object into memory, as a linker and ``dlopen`` do, for code that needs little.

    object bytes -> sections laid out -> relocated to their addresses -> made executable

The object of a kernel needs a few C functions only. Loading it here takes a tenth of the time that a linker needs to
start, and leaves no file. The relocations of LLVM's x86-64 code are supported, all others are rejected. Numbers are
from the System V ABI, AMD64 supplement, https://gitlab.com/x86-psABIs/x86-64-ABI.
"""

import ctypes
import os
import platform
import struct
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class NeedsLinker(Exception):  # noqa: N818, not an error: the linker takes over
    """The object needs a linker; the message says why."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Code:
    """Code in memory: symbol -> address. The code is unmapped when this object is collected."""

    addresses: Mapping[str, int]


def load_elf(content: bytes, symbols: Iterable[str]) -> Code:
    """Load the code of an object, with the addresses of ``symbols``. Raises NeedsLinker."""
    if content[:6] != b"\x7fELF\x02\x01" or platform.machine() != "x86_64":
        raise NeedsLinker("not an ELF object for x86-64")
    image = _Image(content)
    base = _LIBC.mmap(None, image.size, _READ | _WRITE, _PRIVATE | _ANONYMOUS, -1, 0)
    if base == ctypes.c_void_p(-1).value:
        raise NeedsLinker(f"mmap: {os.strerror(ctypes.get_errno())}")
    code = Code({name: base + image.offset_of(name) for name in symbols})
    weakref.finalize(code, _LIBC.munmap, base, image.size).atexit = False
    ctypes.memmove(base, image.relocate(base), image.size)
    if _LIBC.mprotect(base, image.size, _READ | _EXECUTE) != 0:
        raise NeedsLinker(f"mprotect: {os.strerror(ctypes.get_errno())}")
    return code


# --- the parts of an object ---------------------------------------------------------------------------

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")

_PROGBITS, _SYMTAB, _RELA, _NOBITS = 1, 2, 4, 8
_WRITABLE, _ALLOCATED = 1, 2
_UNDEFINED = 0

_SKIPPED = (".eh_frame", ".init_array")
"""Sections that are not loaded. Nothing unwinds through a kernel; TVM's constructor does nothing without a registry."""


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int

    @property
    def mapped(self) -> bool:
        return bool(self.flags & _ALLOCATED) and self.kind == _PROGBITS and self.name not in _SKIPPED


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    section: int
    value: int


# --- relocation ---------------------------------------------------------------------------------------

_ABS64, _PC32, _PLT32 = 1, 2, 4
_VIA_SLOT = (9, 41, 42)
"""GOTPCREL, GOTPCRELX and REX_GOTPCRELX: the code loads the address from a slot."""

_JUMP = bytes.fromhex("ff2500000000")
"""``jmp *[rip+0]`` jumps to the address that follows it. C functions are too far away for a direct call."""
_SLOT_BYTES = 16
_POINTER_BYTES = 8

_RUNTIME_POINTERS = {
    "__TVMBackendAllocWorkspace": "TVMBackendAllocWorkspace",
    "__TVMBackendFreeWorkspace": "TVMBackendFreeWorkspace",
}
"""Variables of kernels with large temporaries -> runtime functions whose addresses TVM writes into them."""


class _Image:
    """The memory image: the mapped sections one after the other, then a slot for each relocation."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._sections = self._read_sections()
        self._symbols = self._read_symbols()
        self._starts: dict[int, int] = {}
        end = 0
        for index, section in enumerate(self._sections):
            if section.mapped:
                if section.flags & _WRITABLE:
                    raise NeedsLinker(f"section {section.name} contains variables")
                end = _round_up(end, max(1, section.align))
                self._starts[index] = end
                end += section.size
        self._relocations = [
            row
            for s in self._sections
            if s.kind == _RELA and s.info in self._starts
            for row in self._read_relocations(s)
        ]
        self._slots = _round_up(end, _SLOT_BYTES)
        self.size = _round_up(self._slots + _SLOT_BYTES * len(self._relocations) + 1, os.sysconf("SC_PAGE_SIZE"))

    def offset_of(self, name: str) -> int:
        """Return the offset of a symbol in the image. Raises KeyError."""
        for symbol in self._symbols:
            if symbol.name == name and symbol.section in self._starts:
                return self._starts[symbol.section] + symbol.value
        raise KeyError(name)

    def relocate(self, base: int) -> bytes:
        """Return the bytes of the image for the address ``base``."""
        memory = bytearray(self.size)
        for index, start in self._starts.items():
            section = self._sections[index]
            memory[start : start + section.size] = self._content[section.offset : section.offset + section.size]
        for number, (offset, kind, symbol, addend) in enumerate(self._relocations):
            slot = self._slots + number * _SLOT_BYTES
            self._relocate(memory, base, offset, kind, self._symbols[symbol], addend, slot)
        return bytes(memory)

    def _relocate(
        self, memory: bytearray, base: int, offset: int, kind: int, symbol: _Symbol, addend: int, slot: int
    ) -> None:
        inside = symbol.section in self._starts
        if kind in _VIA_SLOT and symbol.name in _RUNTIME_POINTERS:
            # The first half of the slot is the address of the variable, the second half is the variable.
            struct.pack_into("<Q", memory, slot + _POINTER_BYTES, _function_address(_RUNTIME_POINTERS[symbol.name]))
            target = base + slot + _POINTER_BYTES
        else:
            target = base + self._starts[symbol.section] + symbol.value if inside else _external_address(symbol)
        if kind == _ABS64:
            struct.pack_into("<Q", memory, offset, target + addend)
            return
        if kind in _VIA_SLOT:
            struct.pack_into("<Q", memory, slot, target)
            target = base + slot
        elif kind == _PLT32 and not inside:
            memory[slot : slot + len(_JUMP)] = _JUMP
            struct.pack_into("<Q", memory, slot + len(_JUMP), target)
            target = base + slot
        elif kind not in (_PC32, _PLT32) or not inside:
            raise NeedsLinker(f"relocation {kind} of {symbol.name} is not supported")
        struct.pack_into("<i", memory, offset, target + addend - (base + offset))

    def _read_sections(self) -> list[_Section]:
        start = struct.unpack_from("<Q", self._content, 0x28)[0]
        size, count, names = struct.unpack_from("<HHH", self._content, 0x3A)
        rows = [_SECTION.unpack_from(self._content, start + i * size) for i in range(count)]
        strings = rows[names][4]
        return [
            _Section(self._text(strings + name), kind, flags, offset, length, link, info, align)
            for name, kind, flags, _, offset, length, link, info, align, _ in rows
        ]

    def _read_symbols(self) -> list[_Symbol]:
        table = next(section for section in self._sections if section.kind == _SYMTAB)
        strings = self._sections[table.link].offset
        rows = _SYMBOL.iter_unpack(self._content[table.offset : table.offset + table.size])
        return [_Symbol(self._text(strings + name), section, value) for name, _, _, section, value, _ in rows]

    def _read_relocations(self, section: _Section) -> Iterable[tuple[int, int, int, int]]:
        """Return (offset in the image, kind, index of the symbol, addend) of each relocation in a section."""
        start = self._starts[section.info]
        rows = _RELOCATION.iter_unpack(self._content[section.offset : section.offset + section.size])
        return [(start + offset, info & 0xFFFFFFFF, info >> 32, addend) for offset, info, addend in rows]

    def _text(self, offset: int) -> str:
        return self._content[offset : self._content.index(b"\0", offset)].decode()


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _external_address(symbol: _Symbol) -> int:
    """Return the address of a C function, as the dynamic linker finds it."""
    if symbol.section != _UNDEFINED:
        raise NeedsLinker(f"{symbol.name} is a variable that TVM sets when it loads a library")
    return _function_address(symbol.name)


def _function_address(name: str) -> int:
    try:
        function = getattr(_LIBC, name)
    except AttributeError:
        raise NeedsLinker(f"function {name} does not exist in this process") from None
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


# --- libc ---------------------------------------------------------------------------------------------

_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE, _ANONYMOUS = 0x02, 0x20

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_LIBC.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_LIBC.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
