#!/usr/bin/env python3
"""The official JSON Schema suite through `tenfold contract validate`: test/contract_suite.py TENFOLD SUITE DRAFT [optional].
One process a test. Prints each wrong answer, then "N right, N wrong"."""
import glob, json, os, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

tenfold, suite, draft = sys.argv[1:4]
dialect = {"draft7": "draft-7", "draft2020-12": "2020-12"}[draft]
pattern = "optional/**/*.json" if len(sys.argv) > 4 else "*.json"
work = tempfile.mkdtemp()
jobs = []
for path in sorted(glob.glob(os.path.join(suite, draft, pattern), recursive=True)):
    for g, group in enumerate(json.load(open(path))):
        name = os.path.basename(path)[:-5]
        schema = os.path.join(work, "%s-%d.json" % (name, g))
        json.dump(group["schema"], open(schema, "w"))
        for t, test in enumerate(group["tests"]):
            instance = os.path.join(work, "%s-%d-%d.json" % (name, g, t))
            json.dump(test["data"], open(instance, "w"))
            title = "%s: %s: %s" % (name, group["description"], test["description"])
            jobs.append((title, schema, instance, test["valid"]))


def run(job):
    title, schema, instance, valid = job
    command = [tenfold, "contract", "validate", "--schema", schema, "--instance", instance, "--dialect", dialect]
    done = subprocess.run(command + ["--refs", os.path.join(suite, "remotes")], capture_output=True, text=True)
    if done.returncode == (0 if valid else 1) and bool(done.stdout) != valid:
        return None
    return "%s: exit %d%s" % (title, done.returncode, ": " + done.stderr.strip() if done.stderr else "")


with ThreadPoolExecutor(2) as pool:
    wrong = [w for w in pool.map(run, jobs) if w]
for w in wrong:
    print("# " + w)
print("%d right, %d wrong" % (len(jobs) - len(wrong), len(wrong)))
subprocess.run(["rm", "-rf", work])
sys.exit(1 if wrong or not jobs else 0)
