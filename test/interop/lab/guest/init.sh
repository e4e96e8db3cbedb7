#!/bin/sh
# PID 1 of a guest. Its root is the host's file system, read-only. From the kernel's command line: lab_guest (this folder), lab_address, lab_port.
# shellcheck disable=SC2154
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
ulimit -n 65536 2>/dev/null
ip link set lo up
# hmac: without it sctp.ko loads, and listen() fails with ENOSYS (the cookie's HMAC). Nothing loads on demand here.
perl "$lab_guest/insmod.pl" hmac md5 sha1_generic ipv6 sctp sctp_diag
# link-local IPv6 addresses in INIT chunks are noise on an IPv4 network
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip addr add "$lab_address/24" dev eth0
ip link set eth0 up
ip route add 224.0.0.0/4 dev eth0
test -d /proc/net/sctp || echo "guest: no SCTP in this kernel"
mkdir -p /run/work && cd /run/work || exit # some programs write files where they stand
exec perl "$lab_guest/agent.pl" "$lab_address" "$lab_port" </dev/null
