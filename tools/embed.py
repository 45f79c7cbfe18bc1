#!/usr/bin/env python3
"""A file as a C string: tools/embed.py FUNCTION HEADER IN OUT. Defines `struct tf_str FUNCTION(void)`, declared in HEADER."""
import sys

function, header, source, target = sys.argv[1:5]
data = open(source, "rb").read()
rows = ["\t" + ", ".join("0x%02x" % b for b in data[i : i + 16]) + "," for i in range(0, len(data), 16)]
with open(target, "w") as out:
    out.write('#include "%s"\n\nstatic const unsigned char bytes[] = {\n%s\n};\n\n' % (header, "\n".join(rows)))
    out.write("struct tf_str\n%s(void)\n{\n\treturn tf_str_n(bytes, sizeof bytes);\n}\n" % function)
