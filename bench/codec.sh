#!/bin/bash
# Bytes a value against decode rate: our codecs beside zstd, Gorilla, delta and the memory limit. The chart by which the
# codec was chosen: docs/decisions. Input: the first of FILES (wide CSV), else the measured homes where that folder is.
set -eu
homes=$(dirname "$0")/../../shared/data/meter/edrp200_halfhourly_wh.csv.gz
ninja -C "$TENFOLD_BUILD" bench/codec_bench >/dev/null
set -- ${FILES:-}
[ $# -gt 0 ] || { [ ! -f "$homes" ] || set -- "$homes"; }
"$TENFOLD_BUILD/bench/codec_bench" "$@"
