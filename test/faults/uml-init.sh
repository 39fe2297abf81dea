#!/bin/sh
# The first process of a user-mode Linux: a host of agents on a disk of its own, until the machine is killed.
# From the kernel's command line: WD, where `program`, `host`, `hostname` and `load.json` are; the root is the machine's own.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in lib/crc16 crypto/crc32c_generic fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4; do insmod "$modules/$module.ko" 2>/dev/null; done
mkdir -p /run/disk
mount -t ext4 /dev/ubda /run/disk
cd "$WD" || exit 1
# The same machine, booted anew: its leases are nobody's.
hostname "$(cat hostname)"
exec "$(cat program)" "$(cat host)" "$(cat load.json)"
