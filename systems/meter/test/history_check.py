#!/usr/bin/env python3
"""Random histories against a model: late, doubled, corrected and disordered deliveries, moves between tiers, a network.

    history_check.py PROGRAM FOLDER SEED [SEED...]

After them, and in between, `read` must give what the rules of docs/decisions/versions.md leave standing, `usage` by day,
month, year and feeder must equal sums made here from that, `load` must count as they say, and `verify` must find
nothing. Prints the seeds that failed; exit 1 where there are any."""
import collections
import csv
import datetime
import io
import json
import os
import random
import shutil
import subprocess
import sys
import zoneinfo

ZONES = ['Europe/London', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC']
MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)


class Wrong(Exception):
    pass


class History:
    def __init__(self, program, folder, seed):
        self.program, self.random = program, random.Random(seed)
        pick = self.random.choice
        self.folder = os.path.join(folder, f'history-{seed}')
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.data = os.path.join(self.folder, 'data')
        self.zone = pick(ZONES)
        self.step = pick([5, 15, 30, 60, 1440])
        self.first = datetime.datetime(2024, pick([1, 2, 3, 9, 10]), pick([1, 20, 28]), tzinfo=datetime.timezone.utc)
        self.meters = [f'M{i}' for i in range(pick([1, 3, 20]))]
        self.channels = ['E1', 'B1'][:pick([1, 2])]
        self.span = 100 if self.step == 1440 else pick([100, 1000, 4000])
        self.now = self.first + 3 * DAY
        self.standing = {}  # (meter, channel, slot) -> ((issued, delivery), value, quality)
        self.past = collections.defaultdict(set)
        self.deliveries = 0
        self.network = False

    def run(self, *words, codes=(0,)):
        done = subprocess.run([self.program, *words, '--data', self.data], capture_output=True, text=True, check=False)
        if done.returncode not in codes:
            raise Wrong(f'{words}: exit {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}')
        return done.stdout

    def start(self, slot):
        return self.first + slot * self.step * MINUTE

    def rows(self):
        """A delivery: some spans of readings, at times out of order, doubled, or contradicting themselves."""
        rows, pick, chance = [], self.random.choice, self.random.random
        issued = chance() > .4
        for _ in range(pick([1, 3])):
            from_slot = self.random.randrange(self.span)
            slots = list(range(from_slot, min(self.span, from_slot + pick([1, 5, 96, 500]))))
            if chance() < .3:
                self.random.shuffle(slots)
            when = f'2024-{self.random.randrange(1, 13):02d}-{self.random.randrange(1, 28):02d}T00:00:00Z' if issued else ''
            who = (pick(self.meters), pick(self.channels))
            quality = pick(['A', 'A', 'A', 'E', 'S14', 'F51/79', 'X'])
            span = [(*who, s, pick([0, 1, 5, 100, self.random.randrange(-50, 100000)]), quality, when) for s in slots]
            rows += span
            if chance() < .3:
                rows += self.random.sample(span, min(3, len(span)))
            if chance() < .3:
                rows += [(*r[:3], r[3] + 1, *r[4:]) for r in self.random.sample(span, min(3, len(span)))]
        return rows

    def expect(self, rows):
        """What the rules make of a delivery: accepted, duplicate, superseded."""
        counts = [0, 0, 0]
        for meter, channel, slot, value, quality, issued in rows:
            key, stamp, new = (meter, channel, slot), (issued, self.deliveries), (value, quality)
            if key not in self.standing:
                self.standing[key] = (stamp, *new)
                counts[0] += 1
                continue
            old = self.standing[key]
            if new == old[1:]:
                counts[1] += 1
                if issued > old[0][0]:
                    self.standing[key] = (stamp, *new)
            elif stamp <= old[0] and (stamp, *new) in self.past[key]:
                counts[1] += 1
            else:
                counts[2] += 1
                if stamp < old[0]:
                    self.past[key].add((stamp, *new))
                else:
                    self.past[key].add(old)
                    self.standing[key] = (stamp, *new)
        return counts

    def deliver(self):
        rows = self.rows()
        self.deliveries += 1
        path = os.path.join(self.folder, f'{self.deliveries}.csv')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('meter,channel,start,end,value,quality,issued\n')
            for meter, channel, slot, value, quality, issued in rows:
                f.write(f'{meter},{channel},{self.start(slot):%Y-%m-%dT%H:%MZ},{self.start(slot + 1):%Y-%m-%dT%H:%MZ},'
                        f'{value},{quality},{issued}\n')
        want = self.expect(rows)
        for again in range(self.random.choice([1, 1, 2, 3])):
            got = json.loads(self.run('load', '--zone', self.zone, '--json', path))
            if [got[k] for k in ('accepted', 'duplicate', 'superseded')] != ([0, len(rows), 0] if again else want):
                raise Wrong(f'delivery {self.deliveries} counted {got}, not {want}, time {again + 1}')

    def move(self):
        self.now += self.random.choice([1, 10, 40, 300, 500]) * DAY
        self.run('tier', '--now', f'{self.now:%Y-%m-%dT%H:%M:%SZ}')

    def put_network(self):
        path = os.path.join(self.folder, 'network.csv')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('account,transformer,feeder,zone,region\n')
            f.writelines(f'{m},T{i % 3},F{i % 2},Z,R\n' for i, m in enumerate(self.meters))
        self.run('network', path)
        self.network = True

    def check_read(self):
        got = {}
        for meter in {key[0] for key in self.standing}:
            for row in csv.DictReader(io.StringIO(self.run('read', '--meter', meter))):
                at = datetime.datetime.fromisoformat(row['start'].replace('Z', '+00:00')) - self.first
                got[meter, row['channel'], at // (self.step * MINUTE)] = (int(row['value']), row['quality'])
        self.same('read', got, {key: entry[1:] for key, entry in self.standing.items()})

    def check_usage(self, option, name, meters, by, form):
        zone = zoneinfo.ZoneInfo(self.zone)
        want = collections.defaultdict(lambda: [0, 0, 0])
        for (meter, channel, slot), (_, value, quality) in self.standing.items():
            if meter in meters:
                sums = want[self.start(slot).astimezone(zone).strftime(form), channel]
                sums[0] += value
                sums[1] += 1
                sums[2] += quality[0] != 'A'
        if want:
            rows = json.loads(self.run('usage', option, name, '--by', by, '--json'))['usage']
            got = {(r['period'], r['channel']): [r['value'], r['readings'], r['not_actual']] for r in rows}
            self.same(f'usage of {name} by {by}', got, want)

    def same(self, what, got, want):
        differ = [(k, got.get(k), want.get(k)) for k in sorted(set(got) | set(want)) if got.get(k) != want.get(k)]
        if differ:
            raise Wrong(f'{what}: {len(differ)} differ; key, got, wanted: {differ[:4]}')

    def check(self):
        self.check_read()
        for by, form in (('day', '%Y-%m-%d'), ('month', '%Y-%m'), ('year', '%Y')):
            for meter in self.meters:
                self.check_usage('--account', meter, [meter], by, form)
            for feeder in (0, 1) if self.network else ():
                self.check_usage('--feeder', f'F{feeder}', self.meters[feeder::2], by, form)
        self.run('verify')

    def play(self):
        self.deliver()
        for _ in range(self.random.choice([5, 9])):
            if self.random.random() < .7:
                self.deliver()
            else:
                self.move()
            if self.random.random() < .2:
                self.put_network()
            if self.random.random() < .4:
                self.check()
        self.check()
        self.now += 1000 * DAY
        self.move()
        self.check()
        shutil.rmtree(self.folder)


def main(program, folder, seeds):
    failed = 0
    for seed in seeds:
        history = History(program, folder, seed)
        try:
            history.play()
        except Wrong as e:
            failed += 1
            print(f'seed {seed}, {history.zone}, {history.step} minutes, delivery {history.deliveries}: {e}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2], [int(seed) for seed in sys.argv[3:]]))
