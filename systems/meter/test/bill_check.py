#!/usr/bin/env python3
"""Bills beside a second program: bill_check.py TENFOLD-METER [DATA.csv.gz]

Loads a wide half-hourly CSV (that of real homes where it is there, else made-up ones) in three zones, bills a few accounts
and months in every tier by two tariffs, and compares every quantity and amount with bills made here from
`read`'s CSV, in fractions, with Python's own zone data. Shares no code with the program."""
import csv, gzip, json, os, subprocess, sys, tempfile
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

TARIFF = {
    "name": "check",
    "currency": "GBP",
    "minor_digits": 2,
    "holidays": ["2009-04-10", "2009-04-13", "2009-05-04", "2009-05-25"],
    "versions": [
        {
            "from": "2009-01-01",
            "default": "p",
            "plans": [
                {
                    "name": "p",
                    "slabs": [{"up_to_kwh": 55.5, "rate": "0.012345"}, {"up_to_kwh": 120, "rate": "0.02"}, {"rate": "0.0307"}],
                    "registers": [
                        {
                            "name": "peak",
                            "rate": "0.2175",
                            "windows": [
                                {"days": ["weekday"], "from": "16:30", "to": "19:00"},
                                {"days": ["sat"], "from": "17:00", "to": "18:00", "season": {"from": "04-15", "to": "05-15"}},
                            ],
                        },
                        {"name": "night", "rate": "0.0711", "windows": [{"from": "22:00", "to": "06:00"}]},
                        {"name": "holiday", "rate": "0.1", "windows": [{"days": ["holiday"], "from": "00:00", "to": "24:00"}]},
                        {"name": "day", "rate": "0.1499"},
                    ],
                    "demand": {"interval_minutes": 60, "rate_per_kw": "1.25", "minimum_kw": "2.5"},
                    "fixed": "7.77",
                    "taxes": [{"name": "vat", "percent": "5", "on": ["energy", "registers", "demand", "fixed"]}],
                }
            ],
        },
        {
            "from": "2009-04-21",
            "default": "p",
            "plans": [
                {
                    "name": "p",
                    "registers": [
                        {"name": "peak", "rate": "0.3", "windows": [{"from": "17:00", "to": "20:00"}]},
                        {"name": "rest", "rate": "0.1"},
                    ],
                    "fixed": "9",
                    "taxes": [{"name": "vat", "percent": "17.5", "on": ["registers", "fixed"]}],
                }
            ],
        },
    ],
}
COLD = "2010-09-10T00:00:00Z"
CATEGORY = {"X5": "shop"}
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def half_even(x):
    return round(x)  # Python rounds a Fraction half to even


def minutes(text):
    return int(text[:2]) * 60 + int(text[3:])


def register_of(tariff, plan, day, minute):
    registers = plan.get("registers", [])
    kind = ["holiday"]
    if day.isoformat() not in tariff.get("holidays", []):
        kind = [DAYS[day.weekday()], "weekday" if day.weekday() < 5 else "weekend"]
    for r, register in enumerate(registers):
        for w in register.get("windows", []):
            season = w.get("season", {"from": "01-01", "to": "12-31"})
            today = day.strftime("%m-%d")
            a, b = season["from"], season["to"]
            in_season = a <= today <= b if a <= b else today >= a or today <= b
            f, t = minutes(w["from"]), minutes(w["to"])
            in_hours = f <= minute < t if f < t else minute >= f or minute < t
            if in_season and in_hours and any(k in kind for k in w.get("days", kind)):
                return r
    return max(0, len(registers) - 1)


def lines_of(tariff, plan, by_register, export, demand, days, month_days):
    """[(kind, quantity, amount)]"""
    one = 10 ** tariff["minor_digits"]
    share = Fraction(days, month_days)
    lines = []
    left, start = sum(by_register.values()), 0
    for slab in plan.get("slabs", []):
        end = half_even(Fraction(str(slab["up_to_kwh"])) * 1000 * share) if "up_to_kwh" in slab else None
        take = left if end is None else min(left, end - start)
        if left > 0 or slab is plan["slabs"][0]:
            lines.append(("energy", take, half_even(take * Fraction(slab["rate"]) / 1000 * one)))
        left -= take
        start = end
    for r, register in enumerate(plan.get("registers", [])):
        rate = Fraction(str(register.get("rate", 0)))
        if rate and by_register.get(r, 0):
            lines.append(("registers", by_register[r], half_even(by_register[r] * rate / 1000 * one)))
    if "demand" in plan:
        d = plan["demand"]
        w = max(demand, int(Fraction(str(d.get("minimum_kw", 0))) * 1000))
        lines.append(("demand", w, half_even(w * Fraction(d["rate_per_kw"]) / 1000 * share * one)))
    if "fixed" in plan:
        lines.append(("fixed", days, half_even(Fraction(plan["fixed"]) * share * one)))
    if "export" in plan and export:
        lines.append(("export", export, -half_even(export * Fraction(plan["export"]["rate"]) / 1000 * one)))
    for tax in plan.get("taxes", []):
        base = sum(a for k, _, a in lines if k in tax["on"])
        lines.append(("tax", base, half_even(base * Fraction(tax["percent"]) / 100)))
    return lines


def expected(tariff, readings, zone, first, category):
    """The bill of one import channel: readings [(start, seconds, value, quality)]."""
    end = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    versions = tariff["versions"]
    at = lambda day: max(v["from"] for v in versions if v["from"] <= day.isoformat())
    sections = []
    day = first
    while day < end:
        if not sections or at(day) != sections[-1]["from_date"]:
            version = next(v for v in versions if v["from"] == at(day))
            plan = next((p for p in version["plans"] if category in p.get("categories", [])), None)
            plan = plan or next(p for p in version["plans"] if p["name"] == version["default"])
            sections.append({"from_date": at(day), "plan": plan, "from": day, "registers": {}, "windows": {}})
        sections[-1]["to"] = day + timedelta(days=1)
        day += timedelta(days=1)
    estimated = 0
    for start, seconds, value, quality in readings:
        local = start.astimezone(zone)
        if not first <= local.date() < end:
            continue
        s = next(s for s in sections if s["from"] <= local.date() < s["to"])
        r = register_of(tariff, s["plan"], local.date(), local.hour * 60 + local.minute)
        s["registers"][r] = s["registers"].get(r, 0) + value
        midnight = datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(timezone.utc)
        width = s["plan"].get("demand", {}).get("interval_minutes", 30) * 60
        n = -(-width // seconds)
        key = (local.date(), int((start - midnight).total_seconds()) // seconds // n)
        s["windows"][key] = s["windows"].get(key, 0) + value
        s["width"] = n * seconds
        s["count"] = s.get("count", 0) + 1
        estimated += quality[0] != "A"
    bill = {"sections": [], "total": 0, "energy": 0, "estimated": estimated, "readings": 0}
    for s in sections:
        demand = half_even(Fraction(max(list(s["windows"].values()) + [0]) * 3600, s.get("width", 1)))
        lines = lines_of(tariff, s["plan"], s["registers"], 0, demand, (s["to"] - s["from"]).days, (end - first).days)
        bill["sections"].append({"lines": lines, "demand": demand})
        bill["total"] += sum(a for _, _, a in lines)
        bill["energy"] += sum(s["registers"].values())
        bill["readings"] += s.get("count", 0)
    step = int(Fraction(tariff.get("rounding", {}).get("total", Fraction(1, 100))) * 10 ** tariff["minor_digits"])
    bill["total"] = half_even(Fraction(bill["total"], step)) * step
    return bill


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def read(program, data, meter):
    rows = csv.DictReader(run(program, "read", "--data", data, "--meter", meter).splitlines())
    when = lambda t: datetime.fromisoformat(t.replace("Z", "+00:00"))
    return [(when(r["start"]), int((when(r["end"]) - when(r["start"])).total_seconds()), int(r["value"]), r["quality"]) for r in rows]


def check(program, data, meters, months, zone, tariff, path):
    readings = {m: read(program, data, m) for m in meters}
    for month in months:
        everyone = json.loads(run(program, "bill", "--data", data, "--period", month, "--json", *path))["accounts"]
        for meter in meters:
            alone = json.loads(run(program, "bill", "--data", data, "--period", month, "--account", meter, "--json", *path))
            got = alone["accounts"][0]
            assert got == next(a for a in everyone if a["account"] == meter), (meter, month)
            want = expected(tariff, readings[meter], ZoneInfo(zone), date.fromisoformat(month + "-01"), CATEGORY.get(meter, ""))
            lines = [[(l["kind"], l["quantity"], l["amount"]) for l in s["lines"]] for s in got["sections"]]
            assert lines == [s["lines"] for s in want["sections"]], (zone, meter, month, lines, want)
            for key, mine in (("energy_wh", "energy"), ("total", "total"), ("readings", "readings"), ("estimated", "estimated")):
                assert got[key] == want[mine], (zone, meter, month, key, got[key], want[mine])
            assert [s["max_demand_w"] for s in got["sections"]] == [s["demand"] for s in want["sections"]], (zone, meter, month)
    return len(meters) * len(months)


def made_up():
    """Two local months in half hours around a clock change, seven meters, as the real file is laid out."""
    lines = ["start," + ",".join("X%d" % i for i in range(1, 8))]
    at, x = datetime(2009, 3, 1), 1
    while at < datetime(2009, 6, 1):
        row = []
        for _ in range(7):
            x = (x * 1103515245 + 12345) % 2**31
            row.append(str(x >> 8 & 1023))
        lines.append(at.strftime("%Y-%m-%d %H:%M") + "," + ",".join(row))
        at += timedelta(minutes=30)
    return lines


def main():
    program = sys.argv[1]
    source = sys.argv[2] if len(sys.argv) > 2 else ""
    lines = gzip.open(source, "rt").read().splitlines() if os.path.exists(source) else made_up()
    here = os.path.dirname(os.path.abspath(__file__))
    default = json.load(open(os.path.join(here, "..", "tariffs", "default.json")))
    bills = 0
    with tempfile.TemporaryDirectory() as temporary:
        tariff_path = os.path.join(temporary, "tariff.json")
        json.dump(TARIFF, open(tariff_path, "w"))
        for zone in ("Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"):
            data = os.path.join(temporary, zone.replace("/", "-"))
            path = os.path.join(temporary, "in.csv")
            with open(path, "w") as f:
                f.write(lines[0] + "\n")
                for l in lines[1:]:
                    f.write(l.replace(" ", "T", 1).split(",")[0] + "Z," + l.split(",", 1)[1] + "\n")
            run(program, "load", "--data", data, "--zone", zone, path)
            network = os.path.join(temporary, "network.csv")
            with open(network, "w") as f:
                f.write("account,transformer,feeder,zone,region,category\n")
                f.writelines("%s,t,f,z,r,%s\n" % c for c in CATEGORY.items())
            run(program, "network", "--data", data, network)
            meters = [lines[0].split(",")[i] for i in (1, 5)]
            months = ["2009-03", "2009-04", "2009-05"]
            # All hot; some warm; all warm, by readings and by sealed sums; cold, where DuckDB's library is there.
            for moved in (None, "2009-05-04T00:00:00Z", "2009-07-10T00:00:00Z", COLD):
                if moved and subprocess.run([program, "tier", "--data", data, "--now", moved], capture_output=True).returncode:
                    print("not moved to %s" % moved)
                    continue
                if moved == COLD:
                    months = months[1:2]
                bills += check(program, data, meters, months, zone, TARIFF, ["--tariff", tariff_path])
                for sums in ("auto", "never"):
                    bills += check(program, data, meters, months, zone, default, ["--from-sums", sums])
    print("%d bills equal" % bills)


main()
