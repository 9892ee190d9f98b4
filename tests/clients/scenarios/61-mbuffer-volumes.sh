# shellcheck shell=bash
# PT-17. mbuffer over three cartridges, which the command of its option -A (an autoloader's) changes.

pattern 7 9000000 >data
for number in 1 2 3; do cartridge "volume$number" --capacity 4M --early-warning 512K; done
drive_up "image=$WORK/volume1.ptape"
cat >change <<END
#!/bin/sh
number=\$((\$(cat number) + 1))
echo \$number >number
pseudotape unload 0 >>changer.log 2>&1 && pseudotape load 0 "$WORK/volume\$number.ptape" >>changer.log 2>&1
END
chmod +x change
for kibibytes in 64 256; do
    echo 1 >number
    check "mbuffer -A writes over cartridges, records of $kibibytes KiB" \
        sh -c "mbuffer -q -f -A ./change -o '$NODE' -s ${kibibytes}k -m 2M <data"
    same "mbuffer -A asks for two more, records of $kibibytes KiB" 3 "$(cat number)"
    echo 0 >number
    check "the first cartridge again, records of $kibibytes KiB" ./change
    check "mbuffer -A reads over cartridges, records of $kibibytes KiB" \
        sh -c "mbuffer -q -f -n 3 -A ./change -i '$NODE' -s ${kibibytes}k -m 2M >back"
    same "mbuffer -A asks for two more again, records of $kibibytes KiB" 3 "$(cat number)"
    check "mbuffer -A reads what was written, records of $kibibytes KiB" cmp data back
    echo 0 >number
    check "the first cartridge, records of $kibibytes KiB" ./change
done
same "the changer had no trouble" "" "$(grep -i -e error -e refused changer.log)"

echo 1 >number
says "mbuffer ends with an error when the autoloader fails" 1 'autoload|volume' \
    sh -c "mbuffer -q -f -A /bin/false -o '$NODE' -s 64k -m 2M <data"
drive_down
for number in 1 2 3; do check "verify volume $number" pseudotape verify "volume$number.ptape"; done
