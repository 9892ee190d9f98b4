# shellcheck shell=bash
# PT-01. Operations of mt-st that the transcripts of real drives (12, 13) lack.

cartridge mt
drive_up "image=$WORK/mt.ptape,personality=scsi_debug"
check "mt rewoffl" mt-st -f "$NODE" rewoffl
check "mt load after rewoffl" mt-st -f "$NODE" load
check "mt eject" mt-st -f "$NODE" eject
check "mt load after eject" mt-st -f "$NODE" load
check "mt eof" mt-st -f "$NODE" eof 2
same "mt eof writes filemarks" 2/0 "$(position)"
check "mt defdrvbuffer" mt-st -f "$NODE" defdrvbuffer 1
check "mt defcompression" mt-st -f "$NODE" defcompression 1
check "mt stsetcln" mt-st -f "$NODE" stsetcln 0
check "mt densities" mt-st densities
check "mt setdensity back" mt-st -f "$NODE" setdensity 0

check "mt rewind before partitions" mt-st -f "$NODE" rewind
check "mt stsetoptions can-partitions" mt-st -f "$NODE" stsetoptions can-partitions
check "mt mkpartition" mt-st -f "$NODE" mkpartition 100
check "mt setpartition" mt-st -f "$NODE" setpartition 1
mt_status >/dev/null # the first status after a switch still shows the old partition's position
says "mt status in partition 1" 0 'partition=1\.' mt-st -f "$NODE" status
check "mt weof in partition 1" mt-st -f "$NODE" weof 3
check "mt partseek" mt-st -f "$NODE" partseek 1 2
same "mt tell after partseek" 2 "$(object)"
exits "mt setpartition past the last" 2 mt-st -f "$NODE" setpartition 2
check "mt back to partition 0" mt-st -f "$NODE" partseek 0 0
