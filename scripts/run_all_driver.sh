#!/usr/bin/env bash
# Runs everything that a driver configuration describes, each as a process of its own: the driver; a 1920x1080 uint16 camera
# at 30 Hz for each raw stream (its profile's name contains "raw", or its id is 1000 to 1999); for each stream 2000+n the
# processor of stream 1000+n; for each of those a consumer that verifies every frame; and a supervisor, whose lines say who came
# and who went.
#
#   scripts/run_all_driver.sh CONFIG [SECONDS]      no SECONDS: until Ctrl-C (SIGTERM where it runs in the background)
#
# SECONDS begin when every camera and processor is attached or refused: to reserve many gigabytes takes a while.
#
# A process that is refused leaves the others running and makes the exit status 1.
# TENSORPOOL_BIN: where the programs are; without it build/release/bin of this checkout, built if need be.
set -uo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
if [[ " $* " == *" -h "* || " $* " == *" --help "* ]]; then
  usage || exit 1
  exit 0
fi
if [[ $# -lt 1 || $# -gt 2 || $1 == -* || ! ${2-1} =~ ^[0-9]+$ ]]; then
  usage >&2
  exit 2
fi
config=$(readlink -f "$1")
seconds=${2-}
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
bin=${TENSORPOOL_BIN-}
if [[ -z $bin ]]; then
  bin=$root/build/release/bin
  [[ -x $bin/tp && -x $bin/demo_processor ]] || "$root/run" build || exit 1
fi

logs=$(mktemp -d "${TMPDIR:-/tmp}/run_all_driver.XXXXXX")
mkfifo "$logs/hold"
exec {hold}<>"$logs/hold" # producers stay attached until nobody has this open for writing
declare -A pid_of=()
failed=0
asked=0
ending=0
patience_s=600 # the driver reserves one stream's memory after the other, and here there may be many gigabytes of it
trap 'asked=1' INT TERM HUP PIPE # a repeated one is the same request

say() { printf 'run_all_driver: %s\n' "$*" >&2; }
alive() { [[ -n ${pid_of[$1]-} ]] && kill -0 "${pid_of[$1]}" 2>/dev/null; }

# start NAME COMMAND...: in a session of its own, so that Ctrl-C reaches this script alone, which ends all in order; killed
# when this script is.
start() {
  local name=$1
  shift
  setsid setpriv --pdeathsig KILL "$@" <"$logs/hold" {hold}>&- &
  pid_of[$name]=$!
}

# collect NAME: waits for its end and remembers a failure.
collect() {
  local name=$1 status=0
  [[ -n ${pid_of[$name]-} ]] || return 0
  wait "${pid_of[$name]}" || status=$?
  while [[ $status -gt 128 ]] && alive "$name"; do # a signal ended the waiting, not the process
    status=0
    wait "${pid_of[$name]}" || status=$?
  done
  unset "pid_of[$name]"
  [[ $status -eq 0 || ($ending -eq 1 && $status -eq 143) ]] && return # 143: had not begun when it was told to end
  say "$name ended with status $status"
  failed=1
}

# wait_until LIMIT_S COMMAND...: whether it came true.
wait_until() {
  local limit=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < limit)) || return 1
    pause
  done
}
pause() { read -r -t 0.2 -u "$hold" _ignored || true; } # nobody writes there

# Those that have told their final figures, or ended.
summarized() {
  local name
  for name in "$@"; do
    grep -qs '"event":"summary"' "$logs/$name.out" || ! alive "$name" || return 1
  done
}

# Those that have told a first figure, which they do once they are attached, or ended.
under_way() {
  local name
  for name in "$@"; do
    [[ -s $logs/$name.out ]] || ! alive "$name" || return 1
  done
}

# SIGTERM: the shell starts background processes with SIGINT ignored, and one that has not begun would miss it.
stop() {
  local name
  for name in "$@"; do alive "$name" && kill -TERM "${pid_of[$name]}"; done
}

end_all() {
  ending=1
  stop "${cameras[@]}"
  wait_until 15 summarized "${cameras[@]}"
  stop "${processors[@]}"
  wait_until 15 summarized "${processors[@]}"
  stop "${consumers[@]}"
  for name in "${consumers[@]}"; do collect "$name"; done
  exec {hold}>&-
  for name in "${processors[@]}" "${cameras[@]}"; do collect "$name"; done
  stop supervisor
  collect supervisor
  stop driver
  collect driver
}

# name stream_id profile, one line each
list=$("$bin/tp" driver validate "$config" --format json) || { "$bin/tp" driver validate "$config" >&2; rm -rf "$logs"; exit 2; }
streams=$(python3 -c 'import json, sys
for stream in json.load(sys.stdin)["streams"]:
    print(stream["name"], stream["stream_id"], stream["profile"])' <<<"$list")

cameras=() processors=() consumers=()
declare -A raw=()
while read -r name id profile; do
  if [[ $profile == *raw* || ($id -ge 1000 && $id -le 1999) ]]; then raw[$id]=$name; fi
done <<<"$streams"

start driver "$bin/tp" driver run "$config" >&2
driver_answers() { "$bin/tp" driver status --config "$config" >/dev/null 2>&1 || ! alive driver || [[ $asked -eq 1 ]]; }
wait_until 30 driver_answers || say "the driver does not answer"
if ! alive driver; then
  collect driver
  rm -rf "$logs"
  exit 1
fi

start supervisor "$bin/tp" supervise "$config" >&2
while read -r name id profile; do
  [[ -n ${raw[$id]-} ]] || continue
  cameras+=("$name")
  start "$name" "$bin/tp" publish pattern --config "$config" --stream "$id" --size 1920x1080 --dtype uint16 \
    --rate 30 --attach-timeout "$patience_s" --crc-log "$logs/$id.crc" --hold --format json >"$logs/$name.out"
done <<<"$streams"
kinds=(bin2 threshold)
while read -r name id profile; do
  [[ -n ${raw[$id]-} || -z ${raw[$((id - 1000))]-} ]] && continue
  kind=${kinds[${#processors[@]} % 2]}
  processors+=("$name")
  start "$name" "$bin/demo_processor" --config "$config" --kind "$kind" --in $((id - 1000)) --out "$id" \
    --attach-timeout "$patience_s" --out-crc-log "$logs/$id.crc" --hold --format json >"$logs/$name.out"
  consumers+=("$name.consumer")
  start "$name.consumer" "$bin/tp" consume --config "$config" --stream "$id" --create --verify \
    --attach-timeout "$patience_s" --against "$logs/$id.crc"
done <<<"$streams"
say "${#cameras[@]} cameras, ${#processors[@]} processors, ${#consumers[@]} consumers; Ctrl-C ends them"

started=
while [[ $asked -eq 0 && (-z $seconds || -z $started || $((SECONDS - started)) -lt $seconds) ]]; do
  pause
  [[ -z $started ]] && under_way "${cameras[@]}" "${processors[@]}" && started=$SECONDS
  alive driver || { say "the driver is gone"; break; }
  for name in "${!pid_of[@]}"; do
    alive "$name" || collect "$name" # refused, or worse: the others go on
  done
done
end_all
rm -rf "$logs"
exit $failed
