#!/usr/bin/env bash
# bad_input.sh BIN [ROUNDS] - a controller with a device at work, and strangers on every listener (bad_input.py). Afterwards
# every shard still serves, nothing was changed, and what was refused was logged.
set -euo pipefail
BIN=$1 ROUNDS=${2:-60}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/controller.sh"

# Freed memory that the sanitizer keeps would hide growth.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:quarantine_size_mb=4"
make_deployment
enrol_device gw-1
start_agent gw-1
until_true 20 "gw-1 shows its connector" device_has gw-1 '"name": "web"'

step "$ROUNDS rounds of bad input"
before=$(countersign audit list -o json | grep -c '"revision"')
python3 "$HERE/bad_input.py" "$COUNTERSIGN_SOCKET" "$PORT_AGENTS" "$PORT_ENROLMENT" "$CONTROLLER" "$ROUNDS"
[ "$(countersign audit list -o json | grep -c '"revision"')" = "$before" ] || die "bad input changed something"
for why in "TLS 1.2" "client certificate"; do
    grep -q "connection refused.*$why" "$DIR/controller.log" || die "the log does not name: $why"
done

step "everything still works"
device_has gw-1 '"state": "connected"' || die "gw-1 lost its connection"
enrol_device gw-2
start_agent gw-2
until_true 20 "gw-2 is connected" device_has gw-2 '"state": "connected"'

step "a certificate that should not come in is refused with the reason"
make_certificate one.example
make_certificate two.example
refused() { # SENTENCE ARGUMENT...
    local out
    if out=$("$BIN/countersign" cert import "${@:2}" 2>&1); then die "imported: ${*:2}"; fi
    grep -qi "$1" <<<"$out" || die "'$out' does not say '$1'"
}
refused "key" "$DIR/one.example.pem" --key "$DIR/two.example.key"
refused "chain\|issu\|sign" "$DIR/one.example.pem" "$DIR/two.example.pem"
head -c 10000000 /dev/zero | tr '\0' 'A' >"$DIR/large.pem"
refused "large\|big\|bytes\|KB" "$DIR/large.pem"
openssl req -x509 -newkey ed25519 -nodes -subj /CN=ed.example -keyout "$DIR/ed.key" -out "$DIR/ed.pem" 2>>"$DIR/openssl.log"
refused "ed25519" "$DIR/ed.pem"
openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=short.example -keyout "$DIR/rsa.key" -out "$DIR/rsa.pem" \
    2>>"$DIR/openssl.log"
refused "1024\|2048" "$DIR/rsa.pem"
stop_controller || die "the controller ended with $?"
say "passed"
