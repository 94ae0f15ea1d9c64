#!/usr/bin/env bash
# All that needs a card, in one call of under ten minutes: bash docs/measure_on_a_card.sh FOLDER
#
# The tests marked gpu, the headline on CIFAR-10 (JPEG; ROBUST_TS_DATA names the folder that holds
# it) and the tables of speed. Each part has its time; one that fails or runs out of it leaves what
# it has, and the next one begins. What it prints and measures goes into FOLDER.
set -uo pipefail
out=${1:?"usage: bash docs/measure_on_a_card.sh FOLDER"}
mkdir -p "$out"
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD

part() { # SECONDS NAME COMMAND...
    local seconds=$1 name=$2
    shift 2
    printf '\n=== %s (%s s since the start)\n' "$name" "$SECONDS"
    timeout "$seconds" "$@" 2>&1 | tee "$out/$name.txt"
    echo "=== $name: exit status ${PIPESTATUS[0]}"
}

headline() { # SECONDS DEFENSE
    part "$1" "$2" python3 -m robust_ts bench images-headline --seeds 0 --defenses "$2" \
        --rows "$out/headline.jsonl"
}

nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
part 60 tests python3 -m pytest -q -m gpu
headline 70 undefended
headline 190 e2abl
part 230 speed python3 -m robust_ts bench speed --device cuda --minutes 3
