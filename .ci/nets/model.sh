#!/usr/bin/env bash
# Plays sequences of calls beside a model of what may come of them: connection, race, listener and service, over real sockets.
#
#   .ci/nets/model.sh [FILTER]     FILTER is one of the test runner's, for some of the models only
#
# CASES is how many sequences there are, of up to 40 steps, in all models (20,000); FROM the number of the first one. They are played in
# as many processes as there are processors. One that fails is made shorter, and told with the line that plays it again.
#
#   exit 0   every sequence went as its model says
#   exit 1   one did not, or a test ended in another way
#   exit 2   the tests do not build
#
# MODEL_LIMIT is the time for each process, in seconds.

set -u

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=.ci/nets/binaries.sh
. "$root/.ci/nets/binaries.sh"
cd "$root" || exit 2
export G_DEBUG=${G_DEBUG:-fatal-criticals} RUST_BACKTRACE=0

cases=${CASES:-20000} from=${FROM:-0}
[[ "$cases $from" =~ ^[0-9]+\ [0-9]+$ ]] || broken "cases and seeds are numbers"
lines=$(test_binaries test --test model) || exit 2
binary=$(binary_of model "$lines") || broken "there is no binary of the models"

processors=$(nproc)
# Each test takes a part in a hundred, whole.
share=$(((cases / processors + 99) / 100 * 100))
logs=$(mktemp -d) || exit 2
leave_nothing "$logs"
SECONDS=0
for ((at = 0; at < processors; at++)); do
    CASES=$share FROM=$((from + at * 16777216)) timeout --kill-after=10 "${MODEL_LIMIT:-600}" \
        "$binary" --nocapture --test-threads=1 "$@" >"$logs/$at" 2>&1 &
    workers[at]=$!
done
ended=0
for ((at = 0; at < processors; at++)); do
    wait "${workers[at]}"
    code=$?
    [ "$code" -eq 0 ] || {
        ended=1
        grep -hE 'SEED=|, after \[|assertion .* failed: |CRITICAL|SIG[A-Z]+' "$logs/$at" | sort -u | cut -c 1-700 | head -n 8
        [ "$code" -ne 124 ] || echo "model: not done in time"
    }
done

read -r tried right < <(sed -n 's/.*model \([^ ]*\): \([0-9]*\) sequences tried, \([0-9]*\) right$/\1 \2 \3/p' "$logs"/* |
    sort | awk -v out="$logs/table" '
        { tried[$1] += $2; right[$1] += $3; t += $2; r += $3 }
        END {
            for (name in tried) printf "%-75s %6d tried %6d right\n", name, tried[name], right[name] >out
            print t + 0, r + 0
        }')
sort "$logs/table" 2>/dev/null
echo "model: $tried sequences tried, $right right; $SECONDS s on $processors processors"
# One that ended otherwise has not told what it was at. Some of the models are a part, however many sequences they have.
[ "$ended" -eq 0 ] || [ "$tried" -ne "$right" ] || tried=$((tried + 1))
.ci/nets/figure.sh 15.sequences "$tried" "$right" "sequences of calls" $(($# ? tried + 1 : 0)) && [ "$ended" -eq 0 ]
code=$?
[ "$code" -le 1 ] || exit 2
# Nothing tried is nothing found wrong, but no work either.
[ "$tried" -gt 0 ] || [ "$ended" -ne 0 ] || exit 2
exit "$code"
