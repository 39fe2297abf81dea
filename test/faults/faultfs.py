"""A file system that passes everything on to a folder, and is slow or fails as it is told: faultfs.py ROOT CONTROL MNT

CONTROL holds JSON: {"write": 28} fails with the errno, {"fsync": "sleep:3"} takes so many seconds, {"unlink": "hang"} does
not come back before CONTROL says something else.
"""
import json
import os
import sys
import time

from fusepy import FUSE, FuseOSError, Operations

root, control, mnt = map(os.path.abspath, sys.argv[1:4])
STAT = ('st_atime', 'st_ctime', 'st_gid', 'st_ino', 'st_mode', 'st_mtime', 'st_nlink', 'st_size', 'st_uid')


def asked_for(operation):
    try:
        with open(control) as file:
            return json.load(file).get(operation)
    except (OSError, ValueError):
        return None


def fault(operation):
    value = asked_for(operation)
    while value == 'hang':
        time.sleep(0.02)
        value = asked_for(operation)
    if isinstance(value, int):
        raise FuseOSError(value)
    if isinstance(value, str) and value.startswith('sleep:'):
        time.sleep(float(value[6:]))


def asked(act, *args):
    try:
        return act(*args)
    except OSError as error:
        raise FuseOSError(error.errno) from error


class Faulty(Operations):
    def getattr(self, path, fh=None):
        status = asked(os.lstat, root + path)
        return {key: getattr(status, key) for key in STAT}

    def readdir(self, path, fh):
        return ['.', '..'] + asked(os.listdir, root + path)

    def create(self, path, mode, fi=None):
        fault('open')
        return asked(os.open, root + path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path, flags):
        fault('open')
        return asked(os.open, root + path, os.O_RDWR if flags & 3 else os.O_RDONLY)

    def read(self, path, count, offset, fh):
        return asked(os.pread, fh, count, offset)

    def write(self, path, data, offset, fh):
        fault('write')
        return asked(os.pwrite, fh, data, offset)

    def truncate(self, path, length, fh=None):
        asked(os.truncate, root + path, length)

    def fsync(self, path, datasync, fh):
        fault('fsync')
        return 0

    def fsyncdir(self, path, datasync, fh):
        return 0

    def flush(self, path, fh):
        return 0

    def release(self, path, fh):
        os.close(fh)
        return 0

    def unlink(self, path):
        fault('unlink')
        asked(os.unlink, root + path)

    def link(self, target, source):
        asked(os.link, root + source, root + target)

    def rename(self, old, new):
        asked(os.rename, root + old, root + new)

    def mkdir(self, path, mode):
        asked(os.mkdir, root + path, mode)

    def rmdir(self, path):
        asked(os.rmdir, root + path)

    def chmod(self, path, mode):
        asked(os.chmod, root + path, mode)


FUSE(Faulty(), mnt, foreground=True, nothreads=False, direct_io=True, attr_timeout=0, entry_timeout=0, use_ino=True)
