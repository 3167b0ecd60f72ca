# controller.sh - a controller, its people and its devices for tests of whole programs. To be sourced with BIN set: makes
# a folder of its own, $DIR, ends what it started and removes the folder at the end; keeps it when the test fails.
DIR=$(mktemp -d /tmp/countersign-test.XXXXXX)
export COUNTERSIGN_HOME=$DIR/home COUNTERSIGN_SOCKET=$DIR/admin.sock
CONTROLLER= SHARDS=${SHARDS:-2}
declare -A AGENTS=()

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
step() { say "$*"; }
die() {
    say "FAILED: $*" >&2
    exit 1
}
# What is signed is shown on standard error.
countersign() { "$BIN/countersign" "$@" 2>>"$DIR/cli.log"; }

end_all() {
    local status=$? pid
    trap - EXIT
    touch "$DIR/stop" # whatever a test has in the background looks for it
    for pid in "${AGENTS[@]}" $CONTROLLER; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    if [ "$status" = 0 ]; then
        rm -rf "$DIR"
    else
        tail -n 20 "$DIR"/*.log >&2
        say "everything is kept in $DIR" >&2
    fi
    exit "$status"
}
trap end_all EXIT

# until_true SECONDS WHAT COMMAND...
until_true() {
    local left=$(($1 * 10)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || die "not in time: $what"
        sleep 0.1
    done
}

# The ports stay the same over restarts: agents dial them.
ready() { tail -n "+$LOG_FROM" "$DIR/controller.log" | grep -q 'msg=READY'; }
port_of() { grep 'msg=READY' "$DIR/controller.log" | tail -n 1 | sed "s/.* $1=127.0.0.1:\([0-9]*\) .*/\1/"; }

start_controller() {
    cat >"$DIR/countersignd.conf" <<END
[controller]
state = $DIR/state
admin_socket = $COUNTERSIGN_SOCKET
agents = 127.0.0.1:${PORT_AGENTS:-0}
enrolment = 127.0.0.1:${PORT_ENROLMENT:-0}
shards = $SHARDS
drain_seconds = 2
END
    : >>"$DIR/controller.log"
    LOG_FROM=$(($(wc -l <"$DIR/controller.log") + 1))
    "$BIN/countersignd" --config "$DIR/countersignd.conf" 2>>"$DIR/controller.log" </dev/null &
    CONTROLLER=$!
    until_true 20 "the controller is ready" ready
    PORT_AGENTS=$(port_of agents) PORT_ENROLMENT=$(port_of enrolment)
}

# Its exit status is the answer.
stop_controller() {
    kill -TERM "$CONTROLLER"
    wait "$CONTROLLER"
}

make_deployment() {
    local who
    start_controller
    for who in alice bob carol; do
        countersign operator keygen "$who" --no-passphrase >/dev/null
    done
    countersign trust init --operator alice=admin,requester --operator bob=approver \
        --operator carol=implementer --no-passphrase --yes >/dev/null
}

# enrol_device NAME: with one app connector, "web", a plain file.
enrol_device() {
    local name=$1 admin
    mkdir -p "$DIR/$name/live"
    cat >"$DIR/$name/agent.conf" <<END
[agent]
controller = 127.0.0.1:$PORT_AGENTS
enrolment = 127.0.0.1:$PORT_ENROLMENT
state = $DIR/$name/state

[connector "web"]
application = file
certificate = $DIR/$name/live/web.pem
key = $DIR/$name/live/web.key
END
    (umask 077 && : >"$DIR/$name/token")
    countersign device add "$name" --wait --timeout 60s --as alice --yes >"$DIR/$name/token" \
        2>"$DIR/$name/admission.log" &
    admin=$!
    until_true 10 "the token of $name" grep -q '^cst1\.' "$DIR/$name/token"
    head -n 1 "$DIR/$name/token" |
        "$BIN/countersign-agent" --config "$DIR/$name/agent.conf" enrol --token - 2>"$DIR/$name/enrol.log" >&2 ||
        { cat "$DIR/$name/enrol.log" >&2 && die "$name could not enrol"; }
    wait "$admin" || { cat "$DIR/$name/admission.log" >&2 && die "$name was not admitted"; }
}

start_agent() {
    "$BIN/countersign-agent" --config "$DIR/$1/agent.conf" run 2>>"$DIR/$1.log" >&2 </dev/null &
    AGENTS[$1]=$!
}
stop_agent() {
    kill -TERM "${AGENTS[$1]}"
    wait "${AGENTS[$1]}" || die "the agent of $1 ended with $?"
    unset "AGENTS[$1]"
}
device_has() { countersign device show "$1" -o json | grep -q "$2"; }

# make_certificate NAME: a client certificate of a small CA, with its key.
make_certificate() {
    local at=$DIR/$1
    {
        [ -e "$DIR/ca.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -days 3650 -subj "/CN=Test CA" -addext basicConstraints=critical,CA:TRUE -keyout "$DIR/ca.key" \
            -out "$DIR/ca.pem"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$at.key" \
            -out "$at.csr"
        openssl x509 -req -in "$at.csr" -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" -CAcreateserial -days 365 \
            -out "$at.pem"
    } 2>>"$DIR/openssl.log"
}
