#!/bin/bash
# serve answers what openapi.yaml says (tools/schemathesis.sh).
set -u
cd "$(dirname "$0")/../../.."
. test/lib_serve.sh
use_system insure "serve answers what openapi.yaml says"
"$program" simulate --data "$work/data" --policies 1000 --partner exchange >/dev/null
serve data --insecure-partner-header --rate 0
answers_its_contract -H "X-Partner: exchange"
