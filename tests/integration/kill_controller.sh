#!/usr/bin/env bash
# kill_controller.sh BIN [KILLS] - kill -9 of the controller again and again while two clients and a device are at work.
# Whatever a client was told is done must be in the store afterwards, once; every push must end; revisions have no gap.
set -euo pipefail
BIN=$1 KILLS=${2:-100}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/controller.sh"

# Names that the controller said it has, one a line.
worker() {
    local i=0
    while [ ! -e "$DIR/stop" ]; do
        i=$((i + 1))
        if countersign device add "w$1-$i" >/dev/null; then
            echo "w$1-$i" >>"$DIR/acknowledged.$1"
        fi
    done
}

pusher() {
    local out number
    while [ ! -e "$DIR/stop" ]; do
        out=$(countersign push client.example --comment again --as alice --yes -o json) || continue
        number=$(grep -o 'REQ-[0-9]*' <<<"$out" | head -n 1)
        echo "$number" >>"$DIR/requested"
        until countersign approve "$number" --manual --as bob --yes >/dev/null || state_of "$number" approve; do :; done
        until countersign implement "$number" --manual --as carol --yes >/dev/null || state_of "$number"; do :; done
    done
}
# True once the request is past what was tried: a command may be durable although its answer was lost.
state_of() {
    local shown
    [ ! -e "$DIR/stop" ] || return 0
    shown=$(countersign request show "$1") || return 1
    if [ "${2:-}" = approve ]; then
        [[ $shown != *"Push-Approval Pending"* ]]
    else
        grep -Eq "Push-Scheduled|Push-In Progress|Completed|Failed|Superseded|Expired" <<<"$shown"
    fi
}

make_deployment
enrol_device gw-1
start_agent gw-1
until_true 20 "gw-1 shows its connector" device_has gw-1 '"name": "web"'
make_certificate client.example
countersign cert import "$DIR/client.example.pem" --key "$DIR/client.example.key" >/dev/null
countersign cert attach client.example gw-1 web >/dev/null

step "$KILLS kills"
: >"$DIR/acknowledged.1" && : >"$DIR/acknowledged.2" && : >"$DIR/requested"
worker 1 & WORKERS=$!
worker 2 & WORKERS="$WORKERS $!"
pusher & WORKERS="$WORKERS $!"
for ((kill = 1; kill <= KILLS; kill++)); do
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
    kill -9 "$CONTROLLER"
    wait "$CONTROLLER" 2>/dev/null || true
    start_controller
done
touch "$DIR/stop"
# shellcheck disable=SC2086
wait $WORKERS || true

step "$(cat "$DIR"/acknowledged.* | wc -l) commands and $(wc -l <"$DIR/requested") pushes were acknowledged"
countersign audit list -o json >"$DIR/audit.json"
python3 - "$DIR" <<'END' || die "something that was acknowledged was lost"
import json, sys, collections
folder = sys.argv[1]
records = json.load(open(folder + "/audit.json"))
records = records if isinstance(records, list) else next(v for v in records.values() if isinstance(v, list))
revisions = sorted(int(r["revision"]) for r in records)
assert revisions == list(range(revisions[0], revisions[0] + len(revisions))), "the revisions have a gap"
subjects = collections.Counter(r["subject"].split()[-1] for r in records if r["command"] == "CreateToken")
acknowledged = [l.strip() for n in "12" for l in open(f"{folder}/acknowledged.{n}")]
assert len(acknowledged) > 10, "too few commands got through to show anything"
lost = [name for name in acknowledged if subjects[name] < 1]
assert not lost, f"lost: {lost[:5]}"
END
while read -r number; do
    countersign request show "$number" >/dev/null || die "$number was lost"
done <"$DIR/requested"

step "every push that was decided ends"
all_ended() { ! countersign order list -o json | grep -Eq "Push-Scheduled|Push-In Progress"; }
until_true 60 "no order is under way" all_ended
say "passed"
