"""A block device that keeps a log of everything that is done to it: blklog.py BASE.img LOG MNT

MNT/disk.img is the device (to be put under a loop device); what is written to MNT/mark goes into the log, in its place.
A log entry: kind (W write, F flush, M mark), offset, length, bytes.
"""
import errno
import os
import stat
import struct
import sys

from fusepy import FUSE, FuseOSError, Operations

base, log, mnt = map(os.path.abspath, sys.argv[1:4])


class Device(Operations):
    def __init__(self):
        self.fd = os.open(base, os.O_RDWR)
        self.log = open(log, 'ab', buffering=0)
        self.size = os.fstat(self.fd).st_size

    def getattr(self, path, fh=None):
        times = dict(st_uid=0, st_gid=0, st_atime=0, st_mtime=0, st_ctime=0)
        if path == '/':
            return dict(times, st_mode=stat.S_IFDIR | 0o700, st_nlink=2)
        if path in ('/disk.img', '/mark'):
            return dict(times, st_mode=stat.S_IFREG | 0o600, st_nlink=1, st_size=self.size if path != '/mark' else 0)
        raise FuseOSError(errno.ENOENT)

    def readdir(self, path, fh):
        return ['.', '..', 'disk.img', 'mark']

    def open(self, path, flags):
        return 3

    def truncate(self, path, length, fh=None):
        pass

    def read(self, path, count, offset, fh):
        return os.pread(self.fd, count, offset)

    def record(self, kind, offset, data):
        self.log.write(struct.pack('<cQQ', kind, offset, len(data)) + data)

    def write(self, path, data, offset, fh):
        if path == '/mark':
            self.record(b'M', 0, data)
            return len(data)
        self.record(b'W', offset, data)
        return os.pwrite(self.fd, data, offset)

    def fsync(self, path, datasync, fh):
        if path != '/mark':
            self.record(b'F', 0, b'')
        return 0

    def flush(self, path, fh):
        return 0


FUSE(Device(), mnt, foreground=True, nothreads=True, big_writes=True, max_write=131072)
