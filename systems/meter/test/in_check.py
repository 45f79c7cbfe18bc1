#!/usr/bin/env python3
"""Compares what the parsers give per channel with an independent reading of the same files: how many readings, their sum,
the sum of value times start (a value at a wrong time shows), and how many are of quality A.

    in_check.py IN_DUMP FOLDER

FOLDER holds nem12/ (csv and zip), espi/ (xml), wide and two-column csv.gz; what is missing is skipped. Decimals are exact.
Exit 1 on any difference, 77 where there is no such folder."""
import collections
import csv
import datetime
import decimal
import glob
import gzip
import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile

MARKET = datetime.timezone(datetime.timedelta(hours=10)) # NEM12 without a zone
UNITS = {'wh': ('Wh', 0), 'kwh': ('Wh', 3), 'mwh': ('Wh', 6), 'varh': ('varh', 0), 'kvarh': ('varh', 3),
         'vah': ('VAh', 0), 'kvah': ('VAh', 3), 'v': ('mV', 3)}


def steps(text, exponent):
    return int(decimal.Decimal(text).scaleb(exponent).to_integral_value(decimal.ROUND_HALF_EVEN))


def minute(text, form, zone=datetime.timezone.utc):
    return int(datetime.datetime.strptime(text, form).replace(tzinfo=zone).timestamp()) // 60


def nem(text, sums):
    day = []
    for row in csv.reader(io.StringIO(text)):
        row = [cell.strip() for cell in row]
        if row and row[0] == '200':
            meter, channel = row[1], row[4]
            unit, exponent = UNITS[row[7].lower() or channel[0].lower()]
            length = int(row[8])
            count = 1440 // length
        elif row and row[0] == '300':
            quality = row[2 + count][0]
            assert quality in 'AEFSNV', row
            start = minute(row[1], '%Y%m%d', MARKET)
            day = [[steps(v, exponent) if v else None, start + i * length, quality] for i, v in enumerate(row[2:2 + count])]
            add(sums, (meter, channel, unit), day)
        elif row and row[0] == '400':
            for reading in day[int(row[1]) - 1:int(row[2])]:
                reading[2] = row[3][0]
        elif row and row[0] == '250':
            unit, exponent = UNITS[row[19].lower()]
            start = minute(row[9], '%Y%m%d%H%M%S', MARKET)
            add(sums, (row[1], row[4], unit), [[steps(row[18], exponent), start, row[15][0]]])


def espi(path, sums):
    ns = '{http://naesb.org/espi}'
    root = ET.parse(path).getroot()
    kind = root.find(f'.//{ns}ReadingType')
    assert kind.find(f'{ns}uom').text == '72' and kind.find(f'{ns}accumulationBehaviour').text == '4'
    exponent = int(kind.find(f'{ns}powerOfTenMultiplier').text)
    links = [link.get('href') for link in root.iter('{http://www.w3.org/2005/Atom}link')]
    meter = next(l for l in links if '/UsagePoint/' in l).split('/UsagePoint/')[1].split('/')[0]
    readings = []
    for r in root.iter(f'{ns}IntervalReading'):
        valid = all(q.text in ('0', '17', '18', '19') for q in r.iter(f'{ns}quality'))
        readings.append([steps(r.find(f'{ns}value').text, exponent), int(r.find(f'.//{ns}start').text) // 60,
                         'A' if valid else 'X'])
    add(sums, (meter, 'E1' if kind.find(f'{ns}flowDirection').text == '1' else 'B1', 'Wh'), readings)


def instant(text):
    t = datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))
    return int((t if t.tzinfo else t.replace(tzinfo=datetime.timezone.utc)).timestamp()) // 60


def table(path, sums):
    """A wide CSV, or a long one of start and value that is of the meter its name says; times in UTC, values in Wh."""
    with gzip.open(path, 'rt', newline='') as f:
        rows = csv.reader(f)
        header = next(rows)
        columns = list(zip(*rows))
    if header == ['start', 'value']:
        header[1] = os.path.basename(path).removesuffix('.csv.gz')
    starts = [instant(text) for text in columns[0]]
    for name, column in list(zip(header, columns))[1:]:
        add(sums, (name, 'E1', 'Wh'), [[steps(v, 0) if v else None, at, 'A'] for at, v in zip(starts, column)])


def add(sums, key, readings):
    sums[key] += [readings]


def summed(days):
    taken = [(v, at, quality) for day in days for v, at, quality in day if v is not None and quality != 'N']
    return [len(taken), sum(v for v, _, _ in taken), sum(v * at for v, at, _ in taken) % 2**64,
            sum(quality == 'A' for _, _, quality in taken)]


def dump(tool, path):
    out = subprocess.run([tool, '-c', '4099', path], capture_output=True, text=True, check=False).stdout
    found = {}
    for line in out.splitlines():
        word = line.split()
        if word[0] == 'sum':
            found[tuple(word[1:4])] = [int(n) for n in word[4:8]]
        elif word[0] in ('bad', 'error'):
            print(f'{path}: {line}')
            found[('bad', line, '')] = []
    return found


def main(tool, folder):
    if not os.path.isdir(folder):
        return 77
    wrong = files = 0
    paths = sorted(glob.glob(os.path.join(folder, '**', '*'), recursive=True))
    for path in paths:
        sums = collections.defaultdict(list)
        part = os.path.relpath(path, folder)
        if part.startswith('nem12') and path.endswith('.csv'):
            with open(path, encoding='utf-8', newline='') as f:
                nem(f.read(), sums)
        elif part.startswith('nem12') and path.endswith('.zip'):
            with zipfile.ZipFile(path) as z:
                for name in z.namelist():
                    nem(z.read(name).decode(), sums)
        elif part.startswith('espi') and path.endswith('.xml'):
            espi(path, sums)
        elif path.endswith('.csv.gz') and 'temp' not in part: # temperatures are no meter's readings, and are refused
            table(path, sums)
        else:
            continue
        files += 1
        want, found = {key: summed(days) for key, days in sums.items()}, dump(tool, path)
        if want != found:
            wrong += 1
            print(f'{path}: differs')
            for key in sorted(set(want) | set(found)):
                if want.get(key) != found.get(key):
                    print(f'  {key}: {want.get(key)} expected, {found.get(key)} found')
    print(f'{files} files compared, {wrong} differ')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2]))
