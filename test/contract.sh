#!/bin/bash
# `tenfold contract`: the official JSON Schema suite, mistakes that lint finds, changes that diff tells, traffic replayed.
# build: plain (thousands of short runs)
set -u
cd "$(dirname "$0")/.."
. test/lib.sh
suite=${JSON_SCHEMA_SUITE:-../shared/data/insure/json-schema}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
contract() { "$TENFOLD" contract "$@"; }
code() { "$@" >/dev/null 2>&1; echo $?; }

for draft in draft7 draft2020-12; do
	if [ ! -d "$suite/$draft" ]; then
		echo "skip - the official suite's required cases of $draft ($suite is not there)"
		continue
	fi
	result=$(test/contract_suite.py "$TENFOLD" "$suite" $draft)
	if [ $? = 0 ]; then echo "ok - the official suite's required cases of $draft: ${result##*$'\n'}"; else
		echo "not ok - the official suite's required cases of $draft"
		echo "$result" | tail -20
	fi
	[ ! -d "$suite/$draft/optional" ] || test/contract_suite.py "$TENFOLD" "$suite" $draft optional | sed 's/^# /# optional: /; s/^[0-9]/# optional: &/'
done

test/contract_oracle.py "$TENFOLD" 100 1

cd "$work" || exit 2
cat >schema.yaml <<'END'
type: object
required: [country]
properties:
  country: {type: string, enum: [no, se]}
  amount: {type: number, multipleOf: 0.01}
END
echo 'country: no' >yes.yaml
echo 5.25 >five.json
printf '{"country": false,\n "amount": 0.001}' >no.json
promise "a YAML schema and instance have YAML 1.2's types" test "$(code contract validate --schema schema.yaml --instance yes.yaml)" = 0
out=$(contract validate --schema schema.yaml --instance no.json)
promise "an invalid instance exits 1" test $? = 1
promise "every violation is told with its line" test "$(cut -d: -f1-4 <<<"$out" | sort -u)" = "no.json:1:13: /country
no.json:2:12: /amount"
promise "violations as JSON lines" test "$(contract validate --json --schema schema.yaml --instance no.json | jq -rs 'map(.keyword) | join(" ")')" = \
	"type enum multipleOf"
promise "a schema inside a file" test "$(code contract validate --schema 'schema.yaml#/properties/amount' --instance five.json)" = 0
echo '{"$ref": "http://example.org/elsewhere"}' >elsewhere.json
promise "nothing is fetched" test "$(code contract validate --schema elsewhere.json --instance no.json)" = 2
printf '{"$ref": "http://localhost:1234/../schema.yaml"}' >up.json
mkdir -p refs
promise "references stay below --refs" test "$(code contract validate --schema up.json --instance no.json --refs refs)" = 2
promise "a missing file is bad input" test "$(code contract validate --schema nosuch.json --instance no.json)" = 2

# 2^30 ways without memory; with it a few hundred steps. Twice, the second time to tell why not.
python3 - >deep.json <<'END'
import json
defs = {"l%d" % i: {"oneOf": [{"$ref": "#/$defs/l%d" % (i + 1), "required": [k]} for k in "ab"]} for i in range(30)}
print(json.dumps({"$ref": "#/$defs/l0", "$defs": dict(defs, l30={"type": "object"})}))
END
echo '{"a": 1}' >a.json
echo '{"c": 1}' >c.json
promise "oneOf nested 30 deep is decided within a second: valid" test "$(code timeout 1 "$TENFOLD" contract validate --schema deep.json --instance a.json)" = 0
promise "oneOf nested 30 deep is decided within a second: not valid" test "$(code timeout 1 "$TENFOLD" contract validate --schema deep.json --instance c.json)" = 1

cat >old.yaml <<'END'
openapi: 3.1.0
info: {title: t, version: '1'}
paths:
  /policies/{id}:
    get:
      operationId: get
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Policy'}}}}
        default: {$ref: '#/components/responses/Problem'}
  /policies:
    post:
      operationId: post
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Policy'}}}}
      responses:
        '201': {description: made}
        default: {$ref: '#/components/responses/Problem'}
  /old:
    get: {operationId: old, responses: {'200': {description: ok}, default: {$ref: '#/components/responses/Problem'}}}
components:
  responses:
    Problem: {description: p, content: {application/problem+json: {schema: {type: object}}}}
  schemas:
    Policy:
      type: object
      required: [number]
      properties: {number: {type: string}, state: {enum: [open, closed]}, premium: {type: number, maximum: 10}, note: {type: string}}
END
promise "lint says nothing about a document without mistakes" test "$(contract lint old.yaml 2>/dev/null)" = ""
sed -e "s/operationId: post/operationId: get/; s,schemas/Policy'}}}}\$,schemas/Polici'}}}},; s/required: true, schema: {type: string}/schema: {type: strin, example: 5}/" \
	-e "s/{type: number, maximum: 10}/{type: number, maximum: 10, example: 11}/; s,/old:,'/old/{x}':," -e 's/    Problem:/    Unused: {description: u}\n    Problem:/' old.yaml >bad.yaml
contract lint bad.yaml >lint.txt 2>/dev/null
promise "lint exits 1 on errors" test $? = 1
for rule in unresolved-ref duplicate-operation-id path-parameter-not-required path-parameter-undeclared invalid-schema example-mismatch unused-component; do
	promise "lint finds: $rule" grep -q "\[$rule\]" lint.txt
done
promise "lint names the line" grep -qE '^bad.yaml:14:5: error: .*duplicate-operation-id' lint.txt

sed -e '/^  \/old:/,/^    get: {operationId: old/d' -e 's/maximum: 100/maximum: 50/; s/enum: \[open, closed\]/enum: [open, closed, lapsed]/' \
	-e 's/required: \[number\]/required: [number, premium]/; s/maximum: 10}/maximum: 10, description: in EUR}/; s/, note: {type: string}//' old.yaml >new.yaml
contract diff old.yaml new.yaml >diff.txt 2>/dev/null
promise "diff exits 1 when it breaks anyone" test $? = 1
roles() { printf 'openapi: 3.1.0\ninfo: {title: t, version: "1"}\npaths:\n  /a:\n    get:\n      %s\n      responses: {default: {description: any}}\n' "$1"; }
roles 'x-roles: [clerk, agent]' >roles1.yaml
roles 'x-roles: [agent, insurer]' >roles2.yaml
roles 'x-own-unless: [insurer]' >own.yaml
roles 'summary: open' >open.yaml
breaks() { contract diff "$1" "$2" 2>/dev/null | grep -c breaking; }
promise "a role that opens an operation no more breaks, one more does not" same "$(breaks roles1.yaml roles2.yaml) $(contract diff roles1.yaml roles2.yaml 2>/dev/null | grep -c 'role clerk opens it no more')" "1 1"
promise "roles that are needed now break, roles that are not do not" same "$(breaks open.yaml roles1.yaml) $(breaks roles1.yaml open.yaml)" "1 0"
promise "so does what only shows one's own" same "$(breaks open.yaml own.yaml) $(breaks own.yaml open.yaml)" "1 0"
promise "diff of a version with itself is empty" test "$(contract diff old.yaml old.yaml 2>/dev/null)" = ""
cat >want.txt <<'END'
breaking: GET /old: the operation is gone (breaks clients that send)
breaking: GET /policies/{id}: query limit: maximum was 100 and is 50 (breaks clients that send)
breaking: GET /policies/{id}: response 200 body /note: is given no more (breaks clients that read)
breaking: GET /policies/{id}: response 200 body /state: the value "lapsed" is possible now (breaks clients that read)
breaking: POST /policies: request body /premium: is required now (breaks clients that send)
compatible: GET /policies/{id}: response 200 body /premium: is required now
compatible: POST /policies: request body /note: is no longer described
compatible: POST /policies: request body /state: the value "lapsed" is possible now
documentation: GET /policies/{id}: response 200 body /premium: description changed
documentation: POST /policies: request body /premium: description changed
END
promise "diff tells each change, and whom it breaks" diff <(sort diff.txt) want.txt
contract diff new.yaml old.yaml 2>/dev/null | sort >back.txt
promise "what breaks who sends, turned around, breaks who reads" grep -q '^breaking: GET /policies/{id}: response 200 body /premium: is required no more (breaks clients that read)' back.txt

cat >traffic.jsonl <<'END'
{"method":"GET","target":"/policies/1?limit=80","partner":"alpha","status":200,"response_headers":{"Content-Type":"application/json"},"response_body":{"number":"1"}}
{"method":"POST","target":"/policies","headers":{"Content-Type":"application/json"},"body":"{\"number\":\"1\"}","partner":"beta","status":201}
{"method":"POST","target":"/policies","headers":{"Content-Type":"application/json"},"body":{"number":"1","premium":1},"partner":"beta","status":201}
{"method":"GET","target":"/old","partner":"gamma","status":200}
END
promise "replay: the old version fits its own traffic" test "$(code contract replay --contract old.yaml traffic.jsonl)" = 0
contract replay --json --contract new.yaml traffic.jsonl >replay.txt
promise "replay exits 1 when traffic no longer fits" test $? = 1
promise "replay names the partners" test "$(jq -r 'select(.exchanges) | "\(.partner) \(.requests_unfit) \(.answers_unfit)"' replay.txt)" = "alpha 1 1
beta 1 0
gamma 1 0"
promise "replay names the member" test "$(jq -r 'select(.line == 2) | "\(.where): \(.text)"' replay.txt)" = "body /premium: the member 'premium' is missing"
echo '{"method":' >broken.jsonl
promise "a broken line is bad input" test "$(code contract replay --contract old.yaml broken.jsonl)" = 2
for verb in validate lint diff replay; do
	promise "$verb -h fits a screen" test "$(contract $verb -h | wc -l)" -le 24
done
