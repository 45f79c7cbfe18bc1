#!/usr/bin/env python3
"""Writes the first inputs of each fuzz target: seeds.py DIR -> DIR/<target>/<name>. Small, made here, nothing copied; time
zones come from this machine's zoneinfo. A target without seeds starts from nothing."""
import base64
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import zipfile

SEEDS = {}


def seed(target, name, content):
    SEEDS.setdefault(target, {})[name] = content.encode() if isinstance(content, str) else content


def json_seeds():
    texts = ['{"a":[1,-2.50,1e3,true,false,null,"\\u00e9\\ud83d\\ude00\\n"],"b":{"c":""}}', "[]", '{"a":1,"a":2}', "1.10",
             '"' + "x" * 70 + '"', "[" * 40 + "]" * 40, '{"meter":"M1","start":"2025-03-30T01:00:00Z","values":[1,2,null]}']
    for i, text in enumerate(texts):
        seed("json", str(i), text)


def jwt_seeds():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": "i", "aud": ["a", "b"], "sub": "s", "client_id": "c", "jti": "1", "iat": 1700000000, "exp": 1700000300.5,
              "scope": "x y", "roles": ["r"], "cnf": {"x5t#S256": "A" * 43}}
    for alg, kid, n in (("ES256", "a", 64), ("RS256", "b", 384), ("EdDSA", "c", 64), ("none", "a", 1)):
        head = {"alg": alg, "kid": kid, "typ": "at+jwt"}
        signature = base64.urlsafe_b64encode(bytes(n)).rstrip(b"=").decode()
        seed("jwt", alg, ".".join((part(head), part(claims), signature)))
    seed("jwt", "claims", json.dumps(claims))
    x = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
    y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
    okp = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    seed("jwt", "keys", json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "kid": "1", "alg": "ES256"},
                                             {"kty": "OKP", "crv": "Ed25519", "x": okp, "key_ops": ["verify"]},
                                             {"kty": "RSA", "n": "x" * 342, "e": "AQAB"}, {"kty": "oct", "k": "AA"}]}))


def certificate_seeds():
    for kind, new in (("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa", ["rsa:2048"]), ("ed", ["ed25519"])):
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", *new, "-nodes", "-keyout", os.devnull, "-outform", "DER",
                               "-days", "30", "-subj", f"/C=IN/O=Partner, '{kind}'/CN=partner-{kind}"], capture_output=True, check=False).stdout
        if made:
            seed("certificate", kind, made)
            seed("certificate", kind + "-header", b":" + base64.b64encode(made) + b":")


def trace_seeds():
    seed("trace", "parent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    seed("trace", "future", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what")
    seed("trace", "id", "order-4711/7")
    seed("trace", "bytes", bytes(range(1, 40)))


def zone_seeds():
    for zone in ("Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Africa/Casablanca", "UTC"):
        for root in ("/usr/share/zoneinfo", "/usr/share/zoneinfo/right"):
            path = os.path.join(root, zone)
            if os.path.exists(path):
                with open(path, "rb") as f:
                    seed("tzif", os.path.basename(root) + "-" + zone.replace("/", "-"), f.read())


def log_seeds():
    seed("log", "none", b"")
    for file in range(4):
        for kind in range(4):
            for at in (0, 60, 300, 900):
                seed("log", f"{file}-{kind}-{at}", struct.pack("<BBHB", file, kind, at, 0x41))


def nem12(values, quality="A", tail=""):
    rows = ["100,NEM12,202503010900,MDP1,RETAIL", "200,NMI0000001,E1,E1,E1,N1,METER1,KWH,30,"]
    rows.append("300,20250301," + ",".join(values) + f",{quality},,,20250302093000,")
    return "\r\n".join(rows + ([tail] if tail else []) + ["500,O,S01009,20250302,", "900", ""])


def meter_texts():
    half_hours = [f"{i % 7}.{i % 10}{i % 3}" for i in range(48)]
    yield "nem12", nem12(half_hours)
    yield "nem12-short", nem12(half_hours[:-1])
    yield "nem12-variable", nem12(half_hours, "V", "400,1,20,A,,\r\n400,21,48,S14,32,")
    yield "nem12-null", nem12([""] * 48, "N")
    yield "nem13", ("100,NEM13,202503010900,MDP1,RETAIL\r\n250,NMI0000001,11,1,11,11,METER1,E,000021.2,20250101000000,A,,,"
                    "000534.5,20250201000000,E64,77,,343.5,kWh,20250501,20250202000000,\r\n900\r\n")
    yield "csv-wide", "start,M1,M2\n2025-03-01T00:00:00Z,1,2\n2025-03-01T00:15:00Z,3,\n2025-03-01T00:30:00Z,5,x\n"
    yield "csv-local", "time,M1 (kWh)\n2025-03-30 00:45,0.25\n2025-03-30 01:15,0.5\n"
    yield "csv-long", "meter,channel,start,value,quality\nM1,E1,2025-03-01T00:00:00+05:30,12,A\nM1,E1,2025-03-01T00:15:00+05:30,13,E\n"
    yield "csv-quoted", '"start","M,1"\r\n"2025-03-01T00:00:00Z","1"\r\n'
    yield "jsonl", '{"meter":"M1","channel":"E1","start":"2025-03-01T00:00:00Z","interval":15,"values":[1,2,null]}\n{"x":1}\n'
    yield "espi", ('<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><entry><content><ReadingType '
                   'xmlns="http://naesb.org/espi"><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom><flowDirection>1'
                   '</flowDirection></ReadingType></content></entry><entry><content><IntervalBlock xmlns="http://naesb.org/espi">'
                   '<interval><duration>900</duration><start>1740787200</start></interval><IntervalReading><timePeriod><duration>'
                   '900</duration><start>1740787200</start></timePeriod><value>12</value></IntervalReading></IntervalBlock>'
                   "</content></entry></feed>")
    yield "cim", ('<MeterReadings xmlns="http://iec.ch/TC57/2011/MeterReadings#"><MeterReading><Meter><Names><name>M1</name></Names>'
                  '</Meter><IntervalBlocks><IntervalReadings><timeStamp>2025-03-01T00:15:00Z</timeStamp><value>12</value>'
                  '</IntervalReadings><ReadingType ref="0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0"/></IntervalBlocks></MeterReading>'
                  "</MeterReadings>")


def meter_seeds():
    texts = dict(meter_texts())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a.csv", texts["csv-wide"])
        z.writestr("b.nem12", texts["nem12"])
    for target in ("in_any", "in_nem", "in_csv", "in_espi", "in_cim", "in_jsonl"):
        for name, text in texts.items():
            seed(target, name, text)
        seed(target, "gz", gzip.compress(texts["csv-wide"].encode(), mtime=0))
        seed(target, "zip", packed.getvalue())


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(n * 2 if n >= 0 else -n * 2 - 1)


def sealed(rows):
    """Format 1 of core_bill_tou.h."""
    out = b"\x01" + varint(len(rows))
    for readings, hours in rows:
        out += varint(readings)
        if readings:
            out += varint(readings // 9) + zigzag(max(hours) * 2) + b"".join(zigzag(h) for h in hours)
    return out


def bill_seeds():
    day = [120 + 37 * h % 400 for h in range(48)]
    seed("sums", "rows", sealed([(2976, day), (0, []), (1488, [-h for h in day]), (1, [0] * 47 + [2**53])]))
    seed("sums", "full", sealed([(2976, day)] * 256))
    seed("sums", "none", sealed([]))
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(here, "systems/meter/tariffs/default.json"), encoding="utf-8") as f:
        text = f.read()
    seed("tariff", "default", text)
    tariff = json.loads(text)
    seed("tariff", "short", json.dumps(tariff))
    for version in tariff["versions"]:
        for plan in version["plans"]:
            one = dict(tariff, versions=[dict(version, plans=[plan], default=plan["name"])])
            seed("tariff", version["from"] + "-" + plan["name"].replace(" ", "-"), json.dumps(one))
    # Byte 0: what is done; 1 and 2: rows - 1 and slots - 1. A value's first byte says how many bytes it has.
    load = bytes(b for h in range(96) for b in (8 * (h % 24), 1 + h % 5))
    for do, name in ((1, "encode"), (2, "damage")):
        shape = bytes([do | 24 << 2, 3, 95])
        seed("codec", name + "-load", shape + bytes([3, 0, 1, 9, 0, 128, 40, 0, 7, 0, 0, 0]) + load * 4)
        seed("codec", name + "-wide", shape + bytes(range(256)) * 8)
        seed("codec", name + "-flat", shape + bytes(12) + b"\x40\x40" * 300)
    seed("codec", "decode-plain", bytes([0, 0, 15]) + b"\x00\x00\x00\x80\x08")
    seed("codec", "decode-model", bytes([0, 3, 95]) + b"\x01" + bytes(range(200)))


def http_seeds():
    for name, text in {
        "get": "GET /meter/v1/tiers HTTP/1.1\r\nHost: a\r\n\r\n",
        "query": "GET http://a:80/%41/b?c=d%20e&f HTTP/1.1\r\nHost: a:80\r\nX: y\r\n\r\n",
        "options": "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "post": "POST /meter/v1/readings HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Type: text/csv\r\n\r\nabc",
        "expect": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        "chunked": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "extended": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\\\"\";c\r\nabc\r\n00\r\nA: b\r\n\r\n",
        "codings": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "both": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "fold": "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
        "two": "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    }.items():
        seed("http", name, "\x05" + text)  # the first byte chooses a cut


def h2_seeds():
    def frame(kind, flags, stream, body=b""):
        return len(body).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + body

    def head(method, path, *more):
        fields = ((b":method", method), (b":scheme", b"https"), (b":path", path), (b":authority", b"h")) + more
        return b"".join(b"\0" + bytes((len(n),)) + n + bytes((len(v),)) + v for n, v in fields)

    get = frame(1, 5, 1, head(b"GET", b"/", (b"x", b"y")))
    post = frame(1, 4, 3, head(b"POST", b"/", (b"content-length", b"3"))) + frame(0, 1, 3, b"abc")
    for name, frames in {
        "get": get + frame(1, 5, 3, head(b"HEAD", b"/s")) + frame(1, 5, 5, head(b"GET", b"/s", (b"a", b"b"))),
        "post": post + frame(1, 4, 5, head(b"POST", b"/k")) + frame(0, 0, 5, b"ab") + frame(1, 5, 5, b"\0\1t\1u"),
        "resets": b"".join(frame(1, 5, i, head(b"GET", b"/k")) + frame(3, 0, i, b"\0\0\0\x08") for i in range(1, 9, 2)),
        "control": frame(4, 1, 0) + frame(6, 0, 0, b"12345678") + frame(8, 0, 0, b"\0\0\xff\0") + frame(2, 0, 3, b"\0\0\0\0\1") + get,
        "continued": frame(1, 1, 1, head(b"GET", b"/")[:20]) + frame(9, 4, 1, head(b"GET", b"/")[20:]) + frame(7, 0, 0, bytes(8)),
        "large": frame(1, 4, 1, head(b"POST", b"/", (b"expect", b"100-continue"))) + frame(0, 0, 1, bytes(2000)) + frame(0, 1, 1, b"x"),
        "bad": frame(1, 5, 1, head(b"GET", b"/", (b"transfer-encoding", b"chunked"))) + frame(1, 5, 3, head(b"GET", b"/", (b"X", b"y"))) + get,
    }.items():
        seed("h2", name, b"\x02" + frames)

    def fields(method, path, *more, body=None):
        pairs = ((b":method", method), (b":scheme", b"https"), (b":path", path), (b":authority", b"h")) + more
        return b"".join(bytes((len(n),)) + n + bytes((len(v),)) + v for n, v in pairs) + (b"" if body is None else b"\0" + body)

    seed("http_fields", "get", fields(b"GET", b"/a?b", (b"x", b"y"), (b"te", b"trailers"), (b"host", b"H")))
    seed("http_fields", "post", fields(b"POST", b"/", (b"content-length", b"3"), (b"expect", b"100-continue"), body=b"abc"))
    seed("http_fields", "bad", fields(b"GET", b"/ x", (b"a\r\nb", b"c\r\nd: e"), (b"A", b""), (b"transfer-encoding", b"chunked")))


def contract_seeds():
    for i, text in enumerate(("a: &x [1, 0o17, +.5]\nb: *x\n'c': |\n  d\n  e\n", "%YAML 1.2\n---\nno: ~\n200: {f: [g, \"\\u00e9\"]}\n...\n",
                              "- - - a\n    - b\n  - >-\n    c\n- ? d\n  : e\n", "openapi: 3.1.0\npaths:\n  /a/{b}:\n    get: &g {responses: {default: *g}}\n")):
        seed("yaml", str(i), text)
    for i, text in enumerate((
            '{"type":"object","properties":{"a":{"type":"integer","minimum":0,"multipleOf":0.01}},"required":["a"],'
            '"additionalProperties":false}\n{"a":1.5,"b":2}',
            '{"$defs":{"n":{"$dynamicAnchor":"n","anyOf":[{"type":"null"},{"items":{"$dynamicRef":"#n"}}]}},"$ref":"#/$defs/n",'
            '"unevaluatedItems":false}\n[[null],[[]]]',
            '{"oneOf":[{"pattern":"^(a+)+$"},{"format":"date-time"},{"uniqueItems":true,"contains":{"const":1}}],"if":{"minLength":2},'
            '"then":{"enum":["a"]},"not":{"maxProperties":0}}\n[1,2,3,4,5,6,7,8,9,1.0]',
            '{"$id":"http://a/b","definitions":{"c":{"$id":"d#e","type":["string","null"]}},"patternProperties":{"^x":{"$ref":"d#e"}},'
            '"propertyNames":{"maxLength":3},"dependentRequired":{"xa":["y"]},"unevaluatedProperties":{"nullable":true}}\n{"xa":null,"y":0}')):
        seed("schema", str(i), text)


def main():
    root = sys.argv[1]
    for make in (json_seeds, trace_seeds, zone_seeds, log_seeds, meter_seeds, bill_seeds, http_seeds, h2_seeds, contract_seeds, jwt_seeds, certificate_seeds):
        make()
    for target, seeds in SEEDS.items():
        os.makedirs(os.path.join(root, target), exist_ok=True)
        for name, content in seeds.items():
            with open(os.path.join(root, target, name), "wb") as f:
                f.write(content)


main()
