#!/usr/bin/env bash
# main_job.sh BIN - the three real programs from an empty folder to a certificate on a device: trust, people, enrolment,
# admission, import, attachment, push, two decisions, completion; then what stays true: a second push, the drain
# at SIGTERM, a restart on the same state. The app connector is a plain file.
set -euo pipefail
BIN=$1
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/controller.sh"

step "people and trust"
make_deployment
step "a device enrols and is admitted"
enrol_device gw-1
start_agent gw-1
until_true 20 "gw-1 is connected and shows its connector" device_has gw-1 '"name": "web"'

step "a certificate comes in and is pushed"
make_certificate client.example
countersign cert import "$DIR/client.example.pem" --key "$DIR/client.example.key" >/dev/null
countersign cert attach client.example gw-1 web >/dev/null
countersign push client.example --comment "renewal" --as alice --yes >/dev/null
countersign approve REQ-1 --manual --comment "looks right" --as bob --yes >/dev/null
countersign implement REQ-1 --manual --comment "now" --wait --timeout 60s --as carol --yes >/dev/null
countersign topology client.example | grep -q Completed || die "the topology does not say Completed"
countersign order show WO-1 | grep -q "bob" || die "the device's account does not name the approver"
cmp -s <(openssl x509 -in "$DIR/client.example.pem" -noout -fingerprint) \
    <(openssl x509 -in "$DIR/gw-1/live/web.pem" -noout -fingerprint) || die "the device has another certificate"

step "what a request without its decisions does: nothing"
countersign push client.example --comment "again" --as alice --yes >/dev/null
countersign approve REQ-2 --manual --as alice --yes >/dev/null 2>&1 && die "the requester approved"
countersign implement REQ-2 --manual --as carol --yes >/dev/null 2>&1 && die "implemented before approved"
countersign request show REQ-2 | grep -q "Push-Approval Pending" || die "REQ-2 is not pending"

step "SIGTERM drains and ends with 0; a restart knows everything"
stop_controller || die "the controller ended with $?"
start_controller
countersign order show WO-1 | grep -q Completed || die "WO-1 was lost"
until_true 30 "gw-1 is back" device_has gw-1 '"state": "connected"'
countersign approve REQ-2 --manual --as bob --yes >/dev/null
countersign implement REQ-2 --manual --wait --timeout 60s --as carol --yes >/dev/null

step "an order for a device that is away waits for it"
stop_agent gw-1
countersign push client.example --comment "third" --as alice --yes >/dev/null
countersign approve REQ-3 --manual --as bob --yes >/dev/null
countersign implement REQ-3 --manual --as carol --yes >/dev/null
start_agent gw-1
countersign wait REQ-3 --timeout 60s >/dev/null
say "passed"
