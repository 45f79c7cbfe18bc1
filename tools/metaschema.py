#!/usr/bin/env python3
"""A meta-schema as Debian's python3-jsonschema holds it: tools/metaschema.py URI OUT. They are json-schema.org's, and none of
them is kept in this repository (docs/decisions/packages.md)."""
import json, sys

SCHEMAS = "/usr/lib/python3/dist-packages/jsonschema/schemas/"
uri, target = sys.argv[1:3]


def read(name):
    try:
        with open(SCHEMAS + name) as f:
            return json.load(f)
    except OSError as e:
        sys.exit("metaschema: %s: run make, or apt-get install python3-jsonschema" % e)


if uri.startswith("http://json-schema.org/draft-07/"):
    text = read("draft7.json")
elif "/meta/" in uri:
    text = read("vocabularies.json")[uri]
else:
    text = read("draft2020-12.json")
with open(target, "w") as out:
    json.dump(text, out)
