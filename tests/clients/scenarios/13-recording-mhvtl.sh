# shellcheck shell=bash
# PT-01. The transcripts of a real st node (mhvtl's LTO-5, kernel 6.1, where spacing over the beginning left st with wrong counts).

. "$PT_ROOT/tests/clients/tools/recording.sh"
recording mhvtl mhvtl
