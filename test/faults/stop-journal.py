"""Has a commit of ext4's journal fail for another file's sake: stop-journal.py <file> <neighbour> <sign of failing writes>.

What was written to the file is on the device then; its new size is in the transaction whose commit failed. The device is well again.
"""
import ctypes
import errno
import os
import sys

path, neighbour, sign = sys.argv[1:]
WAIT_WRITE_WAIT = 7

with open(path, 'rb') as file:
    if ctypes.CDLL(None, use_errno=True).sync_file_range(file.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), WAIT_WRITE_WAIT) != 0:
        raise OSError(ctypes.get_errno(), 'sync_file_range')
other = os.open(neighbour, os.O_CREAT | os.O_RDWR, 0o600)
open(sign, 'w').close()
try:
    os.fsync(other)
    sys.exit('the commit did not fail')
except OSError as error:
    if error.errno != errno.EIO:
        raise
finally:
    os.unlink(sign)
