# shellcheck shell=bash
# PT-01. The transcripts of a real st node (scsi_debug, kernel 7.2, which keeps 4 bytes of each block).

. "$PT_ROOT/tests/clients/tools/recording.sh"
recording scsi_debug scsi_debug
