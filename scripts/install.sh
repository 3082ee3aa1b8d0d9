#!/usr/bin/env bash
# Puts what `make` has built where an installation has it.
#
#   install.sh PREFIX [DESTDIR]
#
# PREFIX is where it will be used from, as /usr/local; DESTDIR goes before it, for a package that is put together elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${1:?usage: install.sh PREFIX [DESTDIR]} destdir=${2:-}
[[ $prefix == /* ]] || { echo "PREFIX=$prefix: must begin with /" >&2; exit 1; }
place=$destdir$prefix

for program in gleaner gleaner-trainer gleaner-trainer-engine; do
    [[ -x target/release/$program ]] || { echo "target/release/$program: is not there; run make first" >&2; exit 1; }
    install -D --strip "target/release/$program" "$place/bin/$program"
done

# The headers are for building only.
mkdir -p "$place/lib/gleaner"
tar -C runtime/ --exclude=include --exclude=./staged -cf - . | tar -C "$place/lib/gleaner" --no-same-owner -xf -

for unit in gleaner.service gleaner@.service; do
    sed "s,=/usr/local/bin/,=$prefix/bin/," "systemd/$unit" | install -D -m 644 /dev/stdin "$place/lib/systemd/system/$unit"
done
install -D -m 644 systemd/sysusers.conf "$place/lib/sysusers.d/gleaner.conf"
install -D -m 644 systemd/tmpfiles.conf "$place/lib/tmpfiles.d/gleaner.conf"
for file in README.md FAULTS.md LICENSE-MIT LICENSE-APACHE configs/fashion-mnist.yaml systemd/cuda.conf examples/pytorch/*.py \
    examples/shell/train.sh; do
    install -D -m 644 "$file" "$place/share/doc/gleaner/${file##*/}"
done
sed "s,/usr/local/,$prefix/," examples/shell/trainer@.service |
    install -D -m 644 /dev/stdin "$place/share/doc/gleaner/trainer@.service"

if [[ -z $destdir ]]; then
    echo "for the service: systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload"
fi
