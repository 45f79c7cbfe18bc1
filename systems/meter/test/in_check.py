#!/usr/bin/env python3
"""Compares the parsers' sums per channel with an independent reading of the same files.

    in_check.py IN_DUMP FOLDER

FOLDER holds nem12/ (csv and zip), espi/ (xml), wide csv.gz with Wh; what is missing is skipped. Decimals are exact.
Exit 1 on any difference, 77 where there is no such folder."""
import collections
import csv
import decimal
import glob
import gzip
import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile

UNITS = {'wh': ('Wh', 0), 'kwh': ('Wh', 3), 'mwh': ('Wh', 6), 'varh': ('varh', 0), 'kvarh': ('varh', 3),
         'vah': ('VAh', 0), 'kvah': ('VAh', 3), 'v': ('mV', 3)}


def steps(text, exponent):
    return int(decimal.Decimal(text).scaleb(exponent).to_integral_value(decimal.ROUND_HALF_EVEN))


def nem(text, sums):
    for row in csv.reader(io.StringIO(text)):
        row = [cell.strip() for cell in row]
        if row and row[0] == '200':
            meter, channel = row[1], row[4]
            unit, exponent = UNITS[row[7].lower() or channel[0].lower()]
            count = 1440 // int(row[8])
        elif row and row[0] == '300':
            assert row[2 + count][0] in 'AEFSNV', row
            if row[2 + count] != 'N':
                add(sums, (meter, channel, unit), [steps(v, exponent) for v in row[2:2 + count]])
        elif row and row[0] == '250':
            unit, exponent = UNITS[row[19].lower()]
            add(sums, (row[1], row[4], unit), [steps(row[18], exponent)])


def espi(path, sums):
    ns = '{http://naesb.org/espi}'
    root = ET.parse(path).getroot()
    kind = root.find(f'.//{ns}ReadingType')
    assert kind.find(f'{ns}uom').text == '72' and kind.find(f'{ns}accumulationBehaviour').text == '4'
    exponent = int(kind.find(f'{ns}powerOfTenMultiplier').text)
    links = [link.get('href') for link in root.iter('{http://www.w3.org/2005/Atom}link')]
    meter = next(l for l in links if '/UsagePoint/' in l).split('/UsagePoint/')[1].split('/')[0]
    values = [steps(r.find(f'{ns}value').text, exponent) for r in root.iter(f'{ns}IntervalReading')]
    add(sums, (meter, 'E1' if kind.find(f'{ns}flowDirection').text == '1' else 'B1', 'Wh'), values)


def wide(path, sums):
    with gzip.open(path, 'rt', newline='') as f:
        rows = csv.reader(f)
        header = next(rows)
        columns = list(zip(*rows))
    for name, column in list(zip(header, columns))[1:]:
        add(sums, (name, 'E1', 'Wh'), [steps(v, 0) for v in column if v])


def add(sums, key, values):
    sums[key][0] += len(values)
    sums[key][1] += sum(values)


def dump(tool, path):
    out = subprocess.run([tool, '-c', '4099', path], capture_output=True, text=True, check=False).stdout
    found = collections.defaultdict(lambda: [0, 0])
    for line in out.splitlines():
        word = line.split()
        if word[0] == 'sum':
            found[tuple(word[1:4])] = [int(word[4]), int(word[5])]
        elif word[0] in ('bad', 'error'):
            print(f'{path}: {line}')
            found[('bad', line, '')] = [1, 0]
    return found


def main(tool, folder):
    if not os.path.isdir(folder):
        return 77
    wrong = files = 0
    paths = sorted(glob.glob(os.path.join(folder, '**', '*'), recursive=True))
    for path in paths:
        sums = collections.defaultdict(lambda: [0, 0])
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
        elif path.endswith('_wh.csv.gz'):
            wide(path, sums)
        else:
            continue
        files += 1
        if sums != dump(tool, path):
            wrong += 1
            print(f'{path}: sums differ')
    print(f'{files} files compared, {wrong} differ')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2]))
