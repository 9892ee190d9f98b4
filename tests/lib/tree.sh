# shellcheck shell=bash
# Trees of files to back up, the same in every run.

# small_tree DIR: what the transcripts were recorded with
small_tree() {
    mkdir -p "$1/dir"
    echo hello >"$1/dir/hello.txt"
    pattern 1 20000 >"$1/f1"
    pattern 2 40000 >"$1/f2"
    pattern 3 60000 >"$1/f3"
    find "$1" -exec touch -h -d '2020-01-01 00:00:00 UTC' {} +
}

# tree DIR MIB: files of odd sizes and kinds, MIB mebibytes in all
tree() {
    local number
    mkdir -p "$1/deep/er/and/deeper" "$1/empty"
    for number in 1 2 3 4; do
        pattern "$number" $(($2 * 262144 - number * 777)) >"$1/deep/er/file$number"
    done
    for number in 0 1 511 512 513 10239 10240 10241; do
        pattern "$number" "$number" >"$1/deep/$number bytes"
    done
    ln -s ../nowhere "$1/deep/link"
    ln "$1/deep/er/file1" "$1/hard link"
    mkfifo "$1/deep/pipe"
    truncate -s 300000 "$1/deep/hole"
    printf 'name with newline\n' >"$1/deep/er/and/a"$'\n'"b"
    chmod 0751 "$1/deep/er/and"
    chmod 04711 "$1/deep/er/file2"
    find "$1" -exec touch -h -d '2021-02-03 04:05:06 UTC' {} +
}

# pattern SEED BYTES: bytes that neither repeat nor compress, the same for the same seed
pattern() {
    openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$1")" -iv 0 -in /dev/zero 2>/dev/null | head -c "$2"
}

# listing DIR: everything about a tree that a backup has to bring back
listing() {
    (cd "$1" && find . -printf '%y %m %U:%G %s %TY-%Tm-%Td %TT %n %p %l\n' | sed 's/^\(d [^ ]* [^ ]*\) [0-9]*/\1 -/' | sort)
}

# same_tree NAME EXPECTED ACTUAL
same_tree() {
    local difference
    if ! difference=$(diff -r --no-dereference "$2" "$3" 2>&1 | head -5) || [ -n "$difference" ]; then
        # diff cannot compare named pipes, and says so
        difference=$(grep -v ' is a fifo while file ' <<<"$difference")
        [ -z "$difference" ] || {
            fail "$1" "$difference"
            return
        }
    fi
    difference=$(diff <(listing "$2") <(listing "$3") | head -5)
    if [ -n "$difference" ]; then
        fail "$1" "$difference"
    else
        ok "$1"
    fi
}
