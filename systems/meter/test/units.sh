#!/bin/bash
# A file's unit: from its header, an option, or Wh; and a word where that is likely wrong.
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
use_system meter "a file's unit"
cd "$work"
sum() { "$program" sql --data "$1" "SELECT sum(value) FROM readings" | tail -n 1; }

printf 'start,value\n2025-01-01 00:00,0.078\n2025-01-01 01:00,0.4\n2025-01-01 02:00,2.0\n' >home.csv
"$program" load --data a --json home.csv >out 2>err
promise "values finer than a Wh are told" grep -q '^tenfold meter: 2 values have more decimals' err
promise "and stdout stays one object" jq -e '.accepted == 3 and .quarantined == 0' out
"$program" load --data b --unit kWh home.csv >/dev/null 2>err
promise "in kWh they are exact, and nothing is said" test "$(sum b)" = 2478 -a ! -s err
sed 's/^start,value/time (kWh),home/' home.csv >wide.csv
"$program" load --data c wide.csv >/dev/null 2>err
promise "a header's unit counts" test "$(sum c)" = 2478 -a ! -s err
printf 'time,home\n2025-01-01 00:00,1.0\n2025-01-01 01:00,2.50\n' >wide.csv
"$program" load --data d wide.csv >/dev/null 2>err
promise "whole values with a dot are whole" grep -q ' 1 values have' err
printf 'time,home,other\n2025-01-01 00:00,1.5,x\n2025-01-01 01:00,2.0,2\n' >wide.csv
"$program" load --data e wide.csv >/dev/null 2>err
promise "beside a bad cell a value is counted once" grep -q ' 1 values have' err
promise "what is between two steps goes to the even one" same "$(sum d)" 3
