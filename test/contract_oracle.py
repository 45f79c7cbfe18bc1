#!/usr/bin/env python3
"""Random schemas and instances: `tenfold contract validate` beside the Python package jsonschema.
test/contract_oracle.py TENFOLD SCHEMAS SEED; skipped where jsonschema is not installed."""
import json, random, subprocess, sys, tempfile

try:
    from jsonschema import Draft7Validator, Draft202012Validator
except ImportError:
    print("skip - schemas and instances by chance (Python's jsonschema is not installed)")
    sys.exit(0)

URIS = {7: "http://json-schema.org/draft-07/schema#", 2020: "https://json-schema.org/draft/2020-12/schema"}
TYPES = ["null", "boolean", "number", "integer", "string", "array", "object", ["string", "object"], ["integer", "array"]]
COMMON = ("type enum const minimum exclusiveMaximum multipleOf minLength maxLength pattern items contains uniqueItems minItems maxItems "
          "properties required additionalProperties patternProperties propertyNames maxProperties allOf anyOf oneOf not if $ref").split()
ONLY = {2020: "prefixItems minContains unevaluatedProperties unevaluatedItems dependentSchemas dependentRequired".split(),
        7: ["dependencies", "additionalItems"]}
pick = random.choice


def value(depth=0):
    kind = random.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return pick([None, True, False])
    if kind == 2:
        return pick([0, 1, 2, 3, -1, 10, 1.5, 1.0, 0.25, 2.25, 1e3])
    if kind < 6:
        return pick(["", "a", "ab", "abc", "b1", "2024-01-01", "\u00e9"])
    if kind == 6:
        return [value(depth + 1) for _ in range(random.randrange(4))]
    return {pick("abcde"): value(depth + 1) for _ in range(random.randrange(4))}


def put(s, word, sub, draft, depth):
    if word == "type":
        s[word] = pick(TYPES)
    elif word == "enum":
        s[word] = [value() for _ in range(3)]
    elif word == "const":
        s[word] = value()
    elif word in ("minimum", "exclusiveMaximum", "multipleOf"):
        s[word] = pick([1, 2, 0.5, 1.5, 10])
    elif word.startswith(("minL", "maxL", "minI", "maxI", "maxP")):
        s[word] = random.randrange(4)
    elif word == "pattern":
        s[word] = pick(["^a", "b$", "[0-9]", "^.{2}$", "\u00e9"])
    elif word == "uniqueItems":
        s[word] = True
    elif word in ("properties", "dependentSchemas"):
        s[word] = {pick("abcde"): sub(), pick("abcde"): sub()}
    elif word == "required":
        s[word] = [pick("abcde")]
    elif word == "patternProperties":
        s[word] = {pick(["^[ab]", "[cd]"]): sub()}
    elif word in ("allOf", "anyOf", "oneOf", "prefixItems"):
        s[word] = [sub() for _ in range(random.randrange(1, 4))]
    elif word == "if":
        s.update({"if": sub(), "then": sub(), "else": sub()})
    elif word == "$ref":
        if depth:
            s[word] = "#/definitions/r" if draft == 7 else "#/$defs/r"
    elif word == "minContains":
        s.update({"contains": sub(), word: random.randrange(3), "maxContains": 2})
    elif word == "additionalItems":
        s.update({"items": [sub()], word: sub()})
    elif word in ("dependencies", "dependentRequired"):
        s[word] = {pick("abc"): ["d"]}
    else:
        s[word] = sub()


def schema(draft, depth=0):
    if depth > 3 or random.random() < 0.08:
        return pick([True, True, {}, False])
    s = {}
    for word in random.sample(COMMON + ONLY[draft], random.randrange(1, 5)):
        put(s, word, lambda: schema(draft, depth + 1), draft, depth)
    return s


def main():
    tenfold, count = sys.argv[1], int(sys.argv[2])
    random.seed(int(sys.argv[3]))
    wrong = valid = asked = 0
    with tempfile.TemporaryDirectory() as work:
        for i in range(count):
            draft = pick([7, 2020])
            below = schema(draft, 3)
            s = schema(draft)
            s = {"$schema": URIS[draft], **(s if isinstance(s, dict) else {})}
            s["definitions" if draft == 7 else "$defs"] = {"r": True if "$ref" in json.dumps(below) else below}
            checker = (Draft7Validator if draft == 7 else Draft202012Validator)(s)
            json.dump(s, open(work + "/s.json", "w"))
            for _ in range(5):
                v = value()
                json.dump(v, open(work + "/v.json", "w"))
                want = 0 if checker.is_valid(v) else 1
                command = [tenfold, "contract", "validate", "--schema", work + "/s.json", "--instance", work + "/v.json"]
                done = subprocess.run(command, capture_output=True, text=True)
                asked, valid = asked + 1, valid + (want == 0)
                if done.returncode != want:
                    wrong += 1
                    print("# exit %d, %d wanted: %s: %s %s" % (done.returncode, want, json.dumps(s), json.dumps(v), done.stderr))
    print("%s - schemas and instances by chance: %d instances, %d valid, %d answered otherwise than by jsonschema"
          % ("not ok" if wrong else "ok", asked, valid, wrong))


main()
