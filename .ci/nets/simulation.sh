#!/usr/bin/env bash
# Plays the simulations: what is simulated, its kernel, clock and schedule are told by a seed, and a step is one of theirs.
#
#   .ci/nets/simulation.sh [--steps N] [--from SEED] [NAME…]
#
# N steps (10 million), in as many processes as there are processors, each with seeds of its own from SEED (0) on. Each
# simulation has the same share of the steps; NAME is a part of the name of one. 50 million and more are worth a build
# in which the library is optimised. A failure prints the line that plays its seed again, with each step.
#
#   exit 0   no seed has found anything
#   exit 1   one has, or a simulation ended in another way
#   exit 2   the tests do not build
#
# SIMULATION_LIMIT is the time for each share, in seconds.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2
export G_DEBUG=${G_DEBUG:-fatal-criticals} RUST_BACKTRACE=0

steps=10000000 from=0 wanted=()
while [ $# -gt 0 ]; do
    case $1 in
        --steps) steps=${2-} && shift ;;
        --from) from=${2-} && shift ;;
        -*) broken "no such option: $1" ;;
        *) wanted+=("$1") ;;
    esac
    shift
done
[[ "$steps $from" =~ ^[0-9]+\ [0-9]+$ ]] || broken "steps and seeds are numbers"

# Of each, the module and the test.
all=(
    operation::simulation::every_operation_has_one_answer_and_it_is_true
    reactor::simulation::no_schedule_loses_a_wake_up_or_a_byte
    reactor::simulation::turns::every_task_that_is_woken_runs_in_its_turn_and_ends_once
    reconnector::policy::simulation::whatever_happens_it_keeps_its_promises
    socket_client::race::simulation::whatever_the_addresses_do_it_keeps_its_promises
)
simulations=()
for simulation in "${all[@]}"; do
    [ ${#wanted[@]} -eq 0 ] && simulations+=("$simulation")
    for name in ${wanted[@]+"${wanted[@]}"}; do
        case $simulation in *"$name"*) simulations+=("$simulation") ;; esac
    done
done
[ ${#simulations[@]} -gt 0 ] || broken "there is no such simulation: ${wanted[*]}"

build=()
# Dependencies stay as the other tests have them: there is little to be won there, and much to build.
[ "$steps" -lt 50000000 ] || build=(--config 'profile.dev.package.gsock.opt-level=3')
binary=$(test_binaries test ${build[@]+"${build[@]}"} --lib | head -n 1) || exit 2
binary=${binary#* }
[ -x "$binary" ] || broken "there is no binary of the unit tests"

processors=$(nproc)
share=$((steps / processors / ${#simulations[@]} + 1))
logs=$(mktemp -d) || exit 2
leave_nothing "$logs"
SECONDS=0

# shellcheck disable=SC2317 # called by xargs
one() { # simulation, processor
    # Seeds of two processors are far from one another.
    SIM_STEPS=$share SIM_FROM=$((from + $2 * 4294967296)) \
        timeout --kill-after=10 "${SIMULATION_LIMIT:-1200}" \
        "$binary" --nocapture --exact "$1" >"$logs/${1//::/-}.$2" 2>&1
    echo $? >"$logs/${1//::/-}.$2.code"
}
export -f one
export share from binary logs
# shellcheck disable=SC2016 # of the shell that xargs starts
for simulation in "${simulations[@]}"; do
    for ((at = 0; at < processors; at++)); do printf '%s %s\n' "$simulation" "$at"; done
done | xargs -P "$processors" -L 1 bash -c 'one "$1" "$2"' one

taken=0 wrong=0
for simulation in "${simulations[@]}"; do
    mine=$(sed -n 's/.*simulation [^ ]*: \([0-9]*\) steps, \([0-9]*\) seeds right, \([0-9]*\) wrong$/\1 \2 \3/p' \
        "$logs/${simulation//::/-}".* | awk '{ s += $1; r += $2; w += $3 } END { print s + 0, r + 0, w + 0 }')
    read -r its_steps its_seeds its_wrong <<<"$mine"
    for code in "$logs/${simulation//::/-}".*.code; do
        [ "$(cat "$code")" -eq 0 ] || {
            [ "$its_wrong" -gt 0 ] || its_wrong=1
            # With what words.
            grep -hE 'SIM_SEED=|CRITICAL|SIG[A-Z]+|panicked at' "${code%.code}" | cut -c 1-300 | head -n 3
            [ "$(cat "$code")" -ne 124 ] || echo "$simulation: not done in time"
        }
    done
    taken=$((taken + its_steps))
    wrong=$((wrong + its_wrong))
    printf '%-90s %11d steps of %8d seeds, %d wrong\n' "$simulation" "$its_steps" "$((its_seeds + its_wrong))" "$its_wrong"
done
echo "simulations: $taken steps, $wrong seeds wrong; ${SECONDS} s on $processors processors"
right=$((taken > wrong ? taken - wrong : 0))
# Some of the simulations are a part, however many steps they take.
.ci/nets/figure.sh 15.steps "$taken" "$right" "simulated steps of ${#simulations[@]} simulations" \
    $((${#simulations[@]} < ${#all[@]} ? taken + 1 : 0)) && [ "$wrong" -eq 0 ]
code=$?
[ "$code" -le 1 ] || exit 2
exit "$code"
