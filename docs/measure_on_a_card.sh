#!/usr/bin/env bash
# All that needs a card, in calls of under ten minutes: bash docs/measure_on_a_card.sh FOLDER [PART...]
#
# Parts, in this order where none is named: the tests marked gpu; the tables of speed of networks
# over series and over images, of other libraries and of the defense; one undefended fit of the
# headline on CIFAR-10 (JPEG; ROBUST_TS_DATA names the folder that holds it) with nothing else
# running; then the rest of the headline: three seeds, all defenses. Each part has its time; one
# that fails or runs out of it leaves what it has, and the next one begins. What it prints and
# measures goes into FOLDER; runs whose rows are there already are not run again.
set -uo pipefail
out=${1:?"usage: bash docs/measure_on_a_card.sh FOLDER [PART...]"}
shift
parts=${*:-tests series images rivals alone defense headline}
mkdir -p "$out"
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

part() { # SECONDS COMMAND...
    local seconds=$1
    shift
    printf '\n=== %s (%s s since the start)\n' "$name" "$SECONDS"
    timeout "$seconds" "$@" 2>&1 | tee "$out/$name.txt"
    echo "=== $name: exit status ${PIPESTATUS[0]}"
}

bench() { # SECONDS ARGUMENTS...
    part "$1" python3 -m robust_ts bench "${@:2}"
}

nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
for name in $parts; do
    case $name in
    tests) part 90 python3 -m pytest -q -m gpu ;;
    series) bench 120 speed --device cuda --tables loop,profile --limit 5 ;;
    images) bench 60 speed --device cuda --tables loop --backbones wide_resnet,resnet18 --limit 5 ;;
    rivals) bench 120 speed --device cuda --tables rivals --limit 4 --pairs 3 ;;
    alone) bench 150 images-headline --seeds 0 --defenses undefended --rows "$out/headline.jsonl" ;;
    defense) bench 240 speed --device cuda --tables defense --pairs 1 --minutes 2 ;;
    compile) bench 150 speed --device cuda --tables compile --limit 5 --minutes 2 ;;
    headline) bench 570 images-headline --rows "$out/headline.jsonl" ;;
    *) echo "No part is called $name." ;;
    esac
done
