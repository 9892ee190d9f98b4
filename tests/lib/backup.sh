# shellcheck shell=bash
# Set-ups of backup programs for the scenarios, each in $WORK and with nothing of the system's own: btape, the daemons of
# Bacula, Amanda. What is for a library comes from docs/CHANGER.md, so that the document has what works.

BACULA=() # the processes of its daemons

# example NAME: an example of docs/CHANGER.md, the block that is marked with `example: file NAME`
example() {
    awk -v note="<!-- example: file $1 -->" '
        $0 == note { wanted = 1; next }
        wanted == 1 && /^```/ { wanted = 2; next }
        wanted == 2 && /^```/ { found = 1; exit }
        wanted == 2
        END { exit !found }' "$PT_ROOT/docs/CHANGER.md" || fail "docs/CHANGER.md" "there is no example $1"
}

# Bacula's address and ports here: they meet neither another run nor a Bacula of this machine.
address=($(($$ / 65536 % 128 + 1)) $(($$ / 256 % 256)) $(($$ % 256)))

# here: what comes in, with the paths, addresses and ports that are true in this run. A scenario with another changer than
# library 0 of our daemon, or other drives than its first two, sets $LIBRARY_CHANGER and $LIBRARY_DRIVES.
here() {
    local changer=/dev/pmch0 script=/etc/bacula/scripts/mtx-changer
    if [ "$FRONT" = fuse ]; then changer=$PSEUDOTAPE_CONTROL script=$WORK/mtx-changer; fi
    local drives nodes
    read -r -a drives <<<"${LIBRARY_DRIVES:-0 1}"
    nodes=("$NODE_DIR/npmtm${drives[0]}" "$NODE_DIR/npmtm${drives[1]}")
    if [ "$FRONT" = scsi ]; then changer=${CHANGERS[0]-} nodes=("${NODES[0]-}" "${NODES[1]-}"); fi
    changer=${LIBRARY_CHANGER:-$changer}
    sed -e "s|/dev/pmch0|$changer|; s|/etc/bacula/scripts/mtx-changer|$script|" \
        -e "s|/dev/npmtm0|${nodes[0]}|; s|/dev/npmtm1|${nodes[1]}|" \
        -e "s|127\.0\.0\.1|127.${address[0]}.${address[1]}.${address[2]}|; s|Port = 9|Port = 29|"
}

# mtx_here: on a FUSE mount, `mtx` that is ours, and Bacula's script with its path
mtx_here() {
    [ "$FRONT" = fuse ] || return 0
    cp "$PSEUDOTAPE_BIN/pseudotape" mtx
    sed "s|^MTX=.*|MTX=$WORK/mtx|" /etc/bacula/scripts/mtx-changer >mtx-changer
    chmod +x mtx-changer
}

# storage_daemon: the configuration of Bacula's storage daemon and of btape; what comes in is its devices
storage_daemon() {
    here >sd.conf <<END
Storage {
  Name = test-sd
  SD Port = 9103
  SD Address = 127.0.0.1
  Working Directory = $WORK
  Pid Directory = $WORK
  Maximum Concurrent Jobs = 10
}
Director {
  Name = test-dir
  Password = "secret"
}
Messages {
  Name = Standard
  Director = test-dir = all
  Console = all
}
$(cat)
END
}

# btape LOG RULE...: a conversation with btape on Drive-0, which the rules lead; what is said goes to LOG. The device's name
# stands for the node: given a node that is no character device (FUSE), btape looks for a directory with volumes.
btape() {
    local log=$1
    shift
    timeout 400 python3 "$PT_ROOT/tests/clients/tools/converse.py" "$@" \
        -- /usr/sbin/btape -c "$WORK/sd.conf" Drive-0 >"$log" 2>&1
}

# bacula_up JOB...: Bacula's daemons for the two drives of our library, in the words of docs/CHANGER.md. Each job backs up
# the directory of its name. `./bacula LINE...` is the console then; what jobs say goes to bacula.log.
bacula_up() {
    mtx_here
    example bacula-sd-library.conf | storage_daemon
    bacula_files "$@"
    # the catalog's tables, by Bacula's own script
    sed "s|^cd /var/lib/bacula|cd $WORK|; s|XXX_DBNAME_XXX|bacula|" /usr/share/bacula-director/make_sqlite3_tables >make_tables
    check "Bacula's catalog is made" sh make_tables
    bacula_start
}

# bacula_start: starts the daemons; they listen when it returns
bacula_start() {
    local daemon port
    for daemon in dir fd sd; do
        "/usr/sbin/bacula-$daemon" -f -c "$WORK/$daemon.conf" >"$daemon.out" 2>&1 </dev/null &
        BACULA+=($!)
    done
    # in the words of the kernel, 0A is a socket that listens: a connection would only make them complain
    for port in 29101 29102 29103; do
        within 200 "Bacula listens on port $port" grep -q -i "$(printf ' %02X%02X%02X7F:%04X [0:]* 0A' \
            "${address[2]}" "${address[1]}" "${address[0]}" $port)" /proc/net/tcp || cat ./*.out
    done
}

# within SECONDS NAME COMMAND...: waits until the command ends with 0
within() {
    local until=$((SECONDS + $1)) name=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || { fail "$name" "not in time"; return 1; }
        sleep 0.1
    done
}

bacula_files() {
    local job
    here >fd.conf <<END
FileDaemon {
  Name = test-fd
  FD Port = 9102
  FD Address = 127.0.0.1
  Working Directory = $WORK
  Pid Directory = $WORK
  Maximum Concurrent Jobs = 10
}
Director {
  Name = test-dir
  Password = "secret"
}
Messages {
  Name = Standard
  Director = test-dir = all
}
END
    here >dir.conf <<END
Director {
  Name = test-dir
  Dir Port = 9101
  Dir Address = 127.0.0.1
  Query File = /etc/bacula/scripts/query.sql
  Working Directory = $WORK
  Pid Directory = $WORK
  Maximum Concurrent Jobs = 10
  Password = "secret"
  Messages = Standard
}
Catalog {
  Name = Catalog
  DB Name = bacula
  User = bacula
  Password = ""
}
Client {
  Name = test-fd
  Address = 127.0.0.1
  FD Port = 9102
  Catalog = Catalog
  Password = "secret"
  Maximum Concurrent Jobs = 10
}
Messages {
  Name = Standard
  append = $WORK/bacula.log = all, !restored
}
JobDefs {
  Name = Defaults
  Client = test-fd
  Storage = Library
  Pool = Tapes
  Messages = Standard
}
$(example bacula-dir-library.conf)
$(for job in "$@"; do bacula_job "$job"; done)
Job {
  Name = restore
  Type = Restore
  JobDefs = Defaults
  FileSet = $1
  Where = $WORK/out
}
END
    here >bconsole.conf <<END
Director {
  Name = test-dir
  Dir Port = 9101
  Address = 127.0.0.1
  Password = "secret"
}
END
    cat >bacula <<END
#!/bin/bash
printf '%s\n' "\$@" | bconsole -n -c $WORK/bconsole.conf
END
    # A backup sends nothing before the others are there too: so each gets a drive and a cartridge of its own.
    cat >meet <<END
#!/bin/bash
: >$WORK/met.\$1
until [ \$(ls $WORK/met.* | wc -l) = $# ]; do
    [ \$SECONDS -lt 300 ] || exit 1
    sleep 0.1
done
END
    chmod +x bacula meet
}

# bacula_job NAME: a backup of the directory of this name
bacula_job() {
    cat <<END
FileSet {
  Name = $1
  Include {
    Options {
      Signature = MD5
    }
    File = $WORK/$1
  }
}
Job {
  Name = $1
  Type = Backup
  Level = Full
  JobDefs = Defaults
  FileSet = $1
  Client Run Before Job = "$WORK/meet $1"
}
END
}

# bacula_down: ends the daemons
bacula_down() {
    [ ${#BACULA[@]} -gt 0 ] || return 0
    kill -TERM "${BACULA[@]}" 2>/dev/null
    within 200 "Bacula's daemons end" bacula_gone || bacula_kill
    BACULA=()
}

bacula_gone() {
    ! kill -0 "${BACULA[@]}"
}

bacula_kill() {
    [ ${#BACULA[@]} = 0 ] || kill -KILL "${BACULA[@]}" 2>/dev/null
}

# amanda_library: the configuration of a library in docs/CHANGER.md, with the paths that are true where Amanda runs
amanda_library() {
    if [ "$FRONT" = cuse ]; then
        example amanda-library.conf
    elif [ "$FRONT" = scsi ]; then
        example amanda-library.conf | here
    else
        # what is special for a FUSE mount takes the place of the node
        example amanda-mtx.conf >special.conf
        example amanda-library.conf | sed -e '/chg-robot:/{r special.conf' -e 'd}' |
            sed 's|/run/pseudotape/control|/mnt/control|; s|/usr/local/lib/mtx|/mnt/mtx|; s|/dev/npmtm|/mnt/nodes/npmtm|g'
    fi
}

# amanda_up [TREE]: a configuration of Amanda called `daily`, which saves this directory. What comes in is its drives or
# changer and the length of its tapes. "${amanda[@]}" COMMAND... is a command of it.
#
# Amanda runs as its own user, which need not see our directory, and reads /etc/amanda: so each command gets a view of the
# files in which our directory is /mnt, on a machine whose name it knows.
amanda_up() {
    # With no address but 127.0.0.1 (a guest) it knows no name of a machine.
    [ -z "${PT_BUSYBOX:-}" ] || "$PT_BUSYBOX" ip address show dev lo | grep -q 192.0.2.1 ||
        "$PT_BUSYBOX" ip address add 192.0.2.1/32 dev lo
    mkdir -p etc/daily amanda/{gnutar,debug,log,index,info}
    cat >etc/daily/amanda.conf - <(cat <<'END'
org "daily"
mailto ""
dumpuser "backup"
dumpcycle 1 day
runspercycle 1
inparallel 1
tapetype PSEUDO
labelstr "^DAILY-[0-9][0-9]*$"
infofile "/mnt/amanda/info"
logdir "/mnt/amanda/log"
indexdir "/mnt/amanda/index"
tapelist "/mnt/amanda/tapelist"
diskfile "/mnt/etc/daily/disklist"
define dumptype saved {
    program "GNUTAR"
    auth "local"
    compress none
    index yes
    holdingdisk never
    allow_split true
}
END
    )
    : >etc/daily/disklist
    [ -z "${1:-}" ] || echo "localhost /mnt/$1 saved" >etc/daily/disklist
    cat >etc/amanda-client.conf <<'END'
auth "local"
gnutar_list_dir "/mnt/amanda/gnutar"
amandates "/mnt/amanda/amandates"
END
    : >amanda/tapelist
    : >amanda/amandates
    chown -R backup:backup etc amanda
    cat >inside <<'END'
#!/bin/bash
hostname localhost && mount --rbind "$WORK" /mnt && mount --bind /mnt/etc /etc/amanda &&
    mount --bind /mnt/amanda/debug /var/log/amanda && cd /mnt || exit 99
exec runuser -u backup -- "$@"
END
    chmod +x inside
    # shellcheck disable=SC2034
    amanda=(unshare --mount --uts ./inside)
}

# tree_of_its_own MIB: the directory `tree`, a file system of its own. tar --one-file-system, as Amanda calls it, leaves out
# the files of an overlay (a guest's): they have other devices than folders. The scenario's end unmounts it.
tree_of_its_own() {
    mkdir tree
    check "a file system of its own for the tree" mount -t tmpfs tree tree
    trap 'umount tree; clean_up' EXIT
    tree tree "$1"
}
