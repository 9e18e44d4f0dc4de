"""Makes an archive of a folder's files: archive.py FORMAT[:OPTIONS][+FILTER] OUT FOLDER, by libarchive."""
import ctypes
import os
import sys

la = ctypes.CDLL("libarchive.so.13")
for name in ("archive_write_new", "archive_entry_new"):
    getattr(la, name).restype = ctypes.c_void_p
pointer = ctypes.c_void_p


def call(name, *args):
    rc = getattr(la, name)(*args)
    if rc < -20:
        la.archive_error_string.restype = ctypes.c_char_p
        sys.exit(f"{name}: {la.archive_error_string(args[0])}")


def main(kind, out, folder):
    kind, _, filter_name = kind.partition("+")
    form, _, options = kind.partition(":")
    a = pointer(la.archive_write_new())
    call("archive_write_set_format_by_name", a, form.encode())
    if filter_name:
        call("archive_write_add_filter_by_name", a, filter_name.encode())
    if options:
        call("archive_write_set_options", a, f"{form}:{options}".encode())
    call("archive_write_open_filename", a, out.encode())
    for root, dirs, files in os.walk(folder):
        dirs.sort()
        for name in sorted(files):
            path = os.path.join(root, name)
            with open(path, "rb") as f:
                data = f.read()
            entry = pointer(la.archive_entry_new())
            la.archive_entry_set_pathname(entry, os.path.relpath(path, folder).encode())
            la.archive_entry_set_size(entry, ctypes.c_int64(len(data)))
            la.archive_entry_set_filetype(entry, 0o100000)
            la.archive_entry_set_perm(entry, 0o755 if os.access(path, os.X_OK) else 0o644)
            la.archive_entry_set_mtime(entry, ctypes.c_int64(1000000000), ctypes.c_long(0))
            call("archive_write_header", a, entry)
            la.archive_write_data(a, data, ctypes.c_size_t(len(data)))
            la.archive_entry_free(entry)
    call("archive_write_close", a)


main(*sys.argv[1:4])
