#!/bin/sh
# A trainer of gleaner as a shell script. The training itself is done by gleaner-trainer, which stands here for any program
# that has a command line.
#
#     train.sh          # by itself, with `trainer: none`: trains on every list that appears, until it is stopped
#     train.sh EPOCH    # one epoch, as `systemctl start trainer@EPOCH` does (see trainer@.service)
#
# It runs in the folder in which `lists`, `watch` and `state` are. START names the starting graph.
set -eu
START=${START:-models/start.onnx}

name_of() {
    printf 'epoch-%04d' "$1"
}

train() {
    before=$START
    if [ "$1" -gt 0 ]; then
        before=watch/$(name_of $(($1 - 1))).onnx
    fi
    # The checkpoint is written under another name and renamed, so that nobody sees a part of it.
    gleaner-trainer step --config state/config.json --seed 1 --epoch "$1" --manifest "lists/$(name_of "$1").csv" \
        --checkpoint-in "$before" --checkpoint-out "watch/$(name_of "$1").onnx"
}

if [ $# -gt 0 ]; then
    train "$1"
    exit
fi
while :; do
    # The newest list is valid once the stable name stands for it. It wants training if there is no checkpoint, or none any
    # more: one that was no good is put aside.
    for list in lists/epoch-*.csv; do :; done
    name=$(basename "$list" .csv)
    if cmp -s "$list" lists/next.csv && [ ! -e "watch/$name.onnx" ]; then
        train "$(expr "${name#epoch-}" + 0)"
    else
        sleep 1
    fi
done
