# shellcheck shell=bash
# A farm of another host, which the words in the array `far` reach and the folder `farm` has: what its volume V, with
# the files of `tree`, is kept in order by.

# the title of a file of the tree
title() { echo "tree/$1"; }

far_farm_in_order() {
    says "a misspelt path is named" 1 'scr: left out' "${far[@]}" add misspelt scr
    same "and leaves no volume" 1 "$([ -e farm/misspelt ]; echo $?)"
    check "annotate" "${far[@]}" annotate V "$(title long)" 'of Ada'
    same "both hosts show the note" "$(pseudotape farm --root "$WORK/farm" show V "$(title long)")" \
        "$("${far[@]}" show V "$(title long)")"
    says "a note of two lines is none" 2 'one line, without control characters' "${far[@]}" annotate V "$(title long)" $'a\nb'
    check "write to a tape of this host" "${far[@]}" write V --all --as META --to "$WORK/far.ptape"
    check "write it where the farm is" pseudotape farm --root farm write V --all --as META --to "$WORK/near.ptape"
    check "both tapes are the same" pseudotape compare "$WORK/far.ptape" "$WORK/near.ptape"
    says "a title that is not there leaves the tapes alone" 2 'nothing is not in volume V' \
        "${far[@]}" write V nothing --to "$WORK/none.ptape"
    same "no tape was made" 1 "$([ -e "$WORK/none.ptape" ]; echo $?)"
    check "nothing is wrong" "${far[@]}" repair V
    mv farm/V/FILE0000002.ptape second
    says "ls --check opens capsules there" 1 'bad' "${far[@]}" ls V --check
    says "repair shows" 1 '--yes does what helps' "${far[@]}" repair V
    same "as where the farm is" "$(pseudotape farm --root farm repair V)" "$("${far[@]}" repair V)"
    check "repair does it" "${far[@]}" repair V --yes
    rm farm/V/FILE0000002.ptape farm/V/FILE000.dir
    mv second farm/V/FILE0000002.ptape
    says "rebuild" 0 'V: a directory of 3 capsules' "${far[@]}" rebuild V
    says "and all is well" 0 '3 capsules whole; .*; 0 findings' "${far[@]}" verify V
    # CW-55, CW-58: the script of a client runs on the client, and reaches the farm by what it has in its environment
    mkdir told
    # shellcheck disable=SC2016
    says "a script runs when the file is there" 0 'N: 1 file added' "${far[@]}" copy N tree/long \
        --script 'cat >told.json && pseudotape farm --config farm.toml extract N --all -C told >&2'
    check "it had the file" cmp tree/long told/tree/long
    says "it is told of the root, and of no path" 0 '"path":null,"person":null,"root":"(ssh|tls):' cat told.json
    says "one that fails is told" 1 "the script failed: 'exit 3' ended with exit status: 3" \
        "${far[@]}" add N tree/sub --script 'exit 3'
    check "it undoes nothing" "${far[@]}" show N "$(title sub/short)"
    { cat farm.toml && echo 'script-seconds = 1'; } >hang.toml
    says "one that hangs is ended" 1 'took longer than 1 s .script-seconds., and was ended' \
        "${far[@]/farm.toml/hang.toml}" add N tree/link --script 'exec sleep 1000'
    says "where nothing is new it does not run" 0 '0 files added, 4 present' "${far[@]}" add N tree tree/sub --script 'exit 3'
    says "a merge tells it, too" 0 'told of M' "${far[@]}" merge M N --script 'echo "told of $PSEUDOTAPE_FARM_VOLUME"'
    # CW-59: in the other form as well
    check "a structured volume is made, and a script of the client can use it" "${far[@]}" copy S tree --structured \
        --script 'cat >structured.json && pseudotape farm --config farm.toml verify "$PSEUDOTAPE_FARM_VOLUME" >&2'
    says "the script is told of it" 0 '"volume":"S"' cat structured.json
    same "its capsules lie in folders" 0 "$(find farm/S -maxdepth 1 -name '*.ptape' | wc -l)"
    says "V is none, and stays so" 2 'volume V is not structured, and stays' "${far[@]}" add V tree --structured
}

# what the host of the farm hears of it, whose server has `--script $WORK/hear` and two seconds for it (CW-55, CW-59)
far_farm_hears() {
    cat >hear <<END
#!/bin/sh
cat >"$WORK/heard.json" || exit
echo "\$PSEUDOTAPE_FARM_PERSON \$PSEUDOTAPE_FARM_VOLUME" >>"$WORK/heard"
pseudotape farm --root "\$PSEUDOTAPE_FARM" verify "\$PSEUDOTAPE_FARM_VOLUME" >"$WORK/heard.verify" 2>&1
if [ -e "$WORK/hang" ]; then sleep 1000; fi
if [ -e "$WORK/fail" ]; then exit 5; fi
END
    chmod 755 hear
    rm -f heard
    check "a file is stored" "${far[@]}" copy H tree/long
    same "the farm's host hears who did it" "ada@depot H" "$(cat heard)"
    says "and where the capsule lies" 0 "\"path\":\"$WORK/farm/H/FILE0000001.ptape\"" cat heard.json
    says "the volume is free, and whole" 0 '1 capsule whole; .*; 0 findings' cat heard.verify
    check "a structured volume is stored" "${far[@]}" copy HS tree/sub --structured
    says "its capsules lie in folders" 0 "\"path\":\"$WORK/farm/HS/tree/sub/FILE0000001.ptape\"" cat heard.json
    check "where nothing is new" "${far[@]}" add H tree/long
    same "it hears nothing" 2 "$(wc -l <heard)"
    check "a merge is heard" "${far[@]}" merge HM H HS
    same "as any other" "ada@depot HM" "$(tail -1 heard)"
    check "the script of the client runs as well" "${far[@]}" add H tree/link --script "cat >'$WORK/own.json'"
    says "and is told of nobody" 0 '"person":null' cat own.json
    : >fail
    says "one that fails is told" 1 "the script failed: on the farm's host: '$WORK/hear' ended with exit status: 5" \
        "${far[@]}" add H tree/sub
    rm fail
    check "it undoes nothing" "${far[@]}" show H "$(title sub/short)"
    : >hang
    says "one that hangs is ended" 1 'took longer than 2 s .--script-seconds., and was ended' "${far[@]}" copy HH tree/sub
    rm hang
    says "and the file is there" 0 '1 capsule whole' "${far[@]}" verify HH
}

# files of the farm of `far` in one of this host, and the other way, and within it by a second link
far_farm_lends() {
    mkdir -p near
    check "a file has a note" "${far[@]}" annotate V "$(title sub/short)" 'a short one'
    says "from the other host" 0 'W: 3 files added' \
        pseudotape farm --config farm.toml --root near merge W V --source-root "${far[-1]}"
    says "each capsule is whole" 0 '3 capsules whole; .*; 0 findings' pseudotape farm --root near verify W
    says "with its note" 0 'note +a short one' pseudotape farm --root near show W "$(title sub/short)"
    mkdir lent
    check "extract them" pseudotape farm --root near extract W --all -C lent
    check "they are the same" diff -r --no-dereference tree lent/tree
    says "to the other host" 0 'L: 3 files added' "${far[@]}" merge L W --source-root near
    same "what is known of them is the same" "$(pseudotape farm --root near ls W)" "$("${far[@]}" ls L)"
    says "with its note, too" 0 'note +a short one' "${far[@]}" show L "$(title sub/short)"
    says "from host to host" 0 'LL: 3 files added' "${far[@]}" merge LL L --source-root "${far[-1]}"
    says "the same again" 0 'LL: 0 files added, 3 present' "${far[@]}" merge LL L --source-root "${far[-1]}"
    says "a volume that is not there makes none" 2 'there is no volume nothing in' \
        pseudotape farm --config farm.toml --root near merge N nothing --source-root "${far[-1]}"
    same "no volume was made" 1 "$([ -e near/N ]; echo $?)"
}
