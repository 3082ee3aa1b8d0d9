#!/usr/bin/env bash
# Makes a Debian package of what an installation under /usr would have: deb.sh FOLDER writes FOLDER/gleaner_VERSION_ARCH.deb
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?usage: deb.sh FOLDER}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
architecture=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"

scripts/install.sh /usr "$stage"
mkdir "$stage/DEBIAN"
install -m 755 scripts/deb/postinst scripts/deb/prerm scripts/deb/postrm "$stage/DEBIAN/"
# The programs may use whatever the C library of this machine has.
sed -e "s/@version@/$version/" -e "s/@architecture@/$architecture/" \
    -e "s/@size@/$(du -sk --exclude=DEBIAN "$stage" | cut -f 1)/" \
    -e "s/@libc@/$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)/" scripts/deb/control > "$stage/DEBIAN/control"
mkdir -p "$folder"
dpkg-deb --root-owner-group -Zzstd -z6 --build "$stage" "$folder/gleaner_${version}_$architecture.deb"
