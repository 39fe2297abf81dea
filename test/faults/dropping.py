"""A file system in memory that loses what was not synced, names too: dropping.py CONTROL MNT

When the file CONTROL appears it is removed, and everything is as a loss of power leaves it: of each file what its last
sync covered, of each folder the names that its last sync covered.
"""
import errno
import os
import stat
import sys
import time

from fusepy import FUSE, FuseOSError, Operations

control, mnt = map(os.path.abspath, sys.argv[1:3])


class Node:
    def __init__(self, mode):
        self.mode = mode
        self.data = bytearray()
        self.synced = b''
        self.names = {}
        self.synced_names = {}
        self.changed = time.time()

    @property
    def is_folder(self):
        return stat.S_ISDIR(self.mode)


class Dropping(Operations):
    def __init__(self):
        self.root = Node(stat.S_IFDIR | 0o700)
        self.handles = {}
        self.last = 0

    def lose_power(self):
        todo = [self.root]
        while todo:
            node = todo.pop()
            node.names = dict(node.synced_names)
            node.data = bytearray(node.synced)
            todo.extend(node.names.values())

    def look(self):
        if os.path.exists(control):
            self.lose_power()
            os.unlink(control)

    def find(self, path):
        node = self.root
        for name in filter(None, path.split('/')):
            if name not in node.names:
                raise FuseOSError(errno.ENOENT)
            node = node.names[name]
        return node

    def parent(self, path):
        folder, name = os.path.split(path)
        return self.find(folder), name

    def node(self, path, fh):
        return self.handles[fh] if fh in self.handles else self.find(path)

    def links(self, wanted):
        count, todo = 0, [self.root]
        while todo:
            for node in todo.pop().names.values():
                count += node is wanted
                if node.is_folder:
                    todo.append(node)
        return count

    def handle(self, node):
        self.last += 1
        self.handles[self.last] = node
        return self.last

    def getattr(self, path, fh=None):
        self.look()
        node = self.node(path, fh)
        return dict(st_mode=node.mode, st_nlink=2 if node.is_folder else self.links(node), st_size=len(node.data), st_ino=id(node),
                    st_uid=0, st_gid=0, st_atime=node.changed, st_mtime=node.changed, st_ctime=node.changed)

    def readdir(self, path, fh):
        return ['.', '..'] + list(self.find(path).names)

    def create(self, path, mode, fi=None):
        folder, name = self.parent(path)
        node = folder.names[name] = Node(stat.S_IFREG | (mode & 0o777))
        return self.handle(node)

    def open(self, path, flags):
        return self.handle(self.find(path))

    def release(self, path, fh):
        self.handles.pop(fh, None)
        return 0

    def read(self, path, count, offset, fh):
        return bytes(self.node(path, fh).data[offset:offset + count])

    def write(self, path, data, offset, fh):
        node = self.node(path, fh)
        node.data.extend(b'\0' * max(0, offset - len(node.data)))
        node.data[offset:offset + len(data)] = data
        node.changed = time.time()
        return len(data)

    def truncate(self, path, length, fh=None):
        node = self.node(path, fh)
        del node.data[length:]
        node.data.extend(b'\0' * (length - len(node.data)))
        node.changed = time.time()

    def fsync(self, path, datasync, fh):
        node = self.node(path, fh)
        node.synced = bytes(node.data)
        return 0

    def fsyncdir(self, path, datasync, fh):
        node = self.find(path)
        node.synced_names = dict(node.names)
        return 0

    def flush(self, path, fh):
        return 0

    def unlink(self, path):
        folder, name = self.parent(path)
        del folder.names[name]

    rmdir = unlink

    def link(self, target, source):
        folder, name = self.parent(target)
        if name in folder.names:
            raise FuseOSError(errno.EEXIST)
        folder.names[name] = self.find(source)

    def rename(self, old, new):
        folder, name = self.parent(old)
        other, other_name = self.parent(new)
        other.names[other_name] = folder.names.pop(name)

    def mkdir(self, path, mode):
        folder, name = self.parent(path)
        folder.names[name] = Node(stat.S_IFDIR | (mode & 0o777))

    def chmod(self, path, mode):
        node = self.find(path)
        node.mode = stat.S_IFMT(node.mode) | (mode & 0o777)


FUSE(Dropping(), mnt, foreground=True, nothreads=True, direct_io=True, attr_timeout=0, entry_timeout=0, use_ino=True)
