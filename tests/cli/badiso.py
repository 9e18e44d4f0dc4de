"""Makes an image whose folders are no tree: badiso.py loop|huge OUT."""
import struct
import sys

SECTOR = 2048


def both(v):
    return struct.pack("<I", v) + struct.pack(">I", v)


def record(name, at, size, flags):
    b = bytearray(33 + len(name) + (1 - len(name) % 2))
    b[0] = len(b)
    b[2:10] = both(at)
    b[10:18] = both(size)
    b[18:25] = bytes([100, 1, 1, 0, 0, 0, 0])
    b[25] = flags
    b[28:32] = struct.pack("<H", 1) + struct.pack(">H", 1)
    b[32] = len(name)
    b[33 : 33 + len(name)] = name
    return bytes(b)


def main(kind, out):
    d = bytearray(64 * SECTOR)
    p = 16 * SECTOR
    d[p : p + 7] = b"\1CD001\1"
    d[p + 80 : p + 88] = both(64)
    for at, v in ((120, 1), (124, 1), (128, SECTOR)):
        d[p + at : p + at + 4] = struct.pack("<H", v) + struct.pack(">H", v)
    d[p + 132 : p + 140] = both(10)
    d[p + 140 : p + 144] = struct.pack("<I", 19)
    d[p + 148 : p + 152] = struct.pack(">I", 19)
    d[p + 156 : p + 190] = record(b"\0", 20, SECTOR, 2)
    d[p + 881] = 1
    d[17 * SECTOR : 17 * SECTOR + 7] = b"\xffCD001\1"
    root = record(b"\0", 20, SECTOR, 2) + record(b"\1", 20, SECTOR, 2)
    if kind == "loop":
        root += record(b"A", 20, SECTOR, 2) + record(b"B", 21, SECTOR, 2)
    else:
        root += record(b"A", 21, 0xFFFFF800, 2)
    root += record(b"F;1", 30, 5, 0)
    sub = record(b"\0", 21, SECTOR, 2) + record(b"\1", 20, SECTOR, 2) + record(b"A", 20, SECTOR, 2)
    d[20 * SECTOR : 20 * SECTOR + len(root)] = root
    d[21 * SECTOR : 21 * SECTOR + len(sub)] = sub
    with open(out, "wb") as f:
        f.write(d)


main(*sys.argv[1:3])
