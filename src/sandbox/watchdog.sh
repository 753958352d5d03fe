# Owns one private PostgreSQL: its directory, its set-up, its start and stop, and its end.
#
# A shell and not a thread of ours, because it has to outlive us: its standard input is a pipe that only the owner holds,
# and the end of that pipe, however the owner ended, is the order to stop the server and remove the directory.
#
# usage: sh -c "$(cat watchdog.sh)" watchdog BIN NAME SETTINGS SYNC DIRECTORY...
# Orders on stdin: init | start PORT | stop. Every order is answered by one line: done | failed.

# The pipe is the only one who gives orders: a Ctrl-C is for the owner, whose end we then see. PIPE, because we go on
# when nobody is left to read our answers.
trap '' HUP INT QUIT TERM PIPE
umask 077

bin=$1 name=$2 settings=$3 sync=$4
shift 4

home=
for base in "$@"; do
    if mkdir "$base/$name" 2>/dev/null; then
        home=$base/$name
        break
    fi
done
if [ -z "$home" ]; then
    echo "nowhere"
    exit 1
fi
data=$home/data
exec 2>>"$home/log"
echo "home $home"

initialise() {
    "$bin/initdb" -D "$data" -U muster -A trust --locale=C --encoding=UTF8 $sync </dev/null >>"$home/log" 2>&1 &&
        printf '%s\n' "$settings" >>"$data/postgresql.conf"
}

start() {
    "$bin/pg_ctl" -D "$data" -l "$home/log" -w -t 60 -o "-p $1" start </dev/null >>"$home/log" 2>&1
}

# Immediate, as a crash would be: nothing here needs a last checkpoint, and what was committed is in the log.
stop() {
    [ ! -e "$data/postmaster.pid" ] || "$bin/pg_ctl" -D "$data" -m immediate -w -t 60 stop </dev/null >>"$home/log" 2>&1
}

while read -r order argument; do
    case $order in
    init) initialise ;;
    start) start "$argument" ;;
    stop) stop ;;
    *) false ;;
    esac && echo done || echo failed
done

stop
# A late process of the server may still write a file while we remove: try again for a while.
tries=0
until rm -rf "$home" || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
