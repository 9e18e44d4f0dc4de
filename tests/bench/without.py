"""A machine without SHA instructions, played on one that has them: the libraries that hash are told
to leave these alone. OpenSSL, by which libtorrent, rtorrent, qBittorrent, Transmission and mktorrent
hash, and ours where no lanes are faster, reads registers EBX and ECX of CPUID leaf 7 after the
colon, where bit 29 stands for them; nettle, by which aria2 does, takes what it is told for all that
there is."""

NO_SHA = ("env", "OPENSSL_ia32cap=:~0x20000000", "NETTLE_FAT_OVERRIDE=vendor:intel,aesni,pclmul")


def has_sha():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        return "sha_ni" in f.read().split()
