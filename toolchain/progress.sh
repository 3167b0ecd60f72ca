# shellcheck shell=bash
# progress.sh - how the scripts here run something long: its output goes to a file, and a line now and then
# says how far it is. Sourced; the caller sets WHO, the name before each line.

say() { printf '%s: %s\n' "$WHO" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# quietly LOG COMMAND...: the command's status; its output is appended to LOG.
quietly() {
    local log=$1 worker started=$SECONDS said=$SECONDS status=0
    shift
    "$@" >>"$log" 2>&1 </dev/null &
    worker=$!
    while kill -0 "$worker" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - said)) -ge 20 ]; then
            said=$SECONDS
            say "  $((SECONDS - started)) s: $(tail -n1 "$log" | tr -d '\r' | cut -c1-100)"
        fi
    done
    wait "$worker" || status=$?
    return $status
}
