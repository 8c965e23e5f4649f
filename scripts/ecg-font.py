#!/usr/bin/env python3
"""Makes internal/ecg/draw/fonts/droid-sans-fallback-han.ttf.gz from Android's DroidSansFallbackFull.ttf.

    pip install fonttools==4.60.1
    scripts/ecg-font.py DroidSansFallbackFull.ttf

Of the font it keeps the Han characters of GBK (20,902, all that names of people are written with in practice) and the
full-width punctuation, without hints and without tables for setting lines, which a label on a picture does not need.
"""

import gzip
import io
import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTFont


def in_gbk(code: int) -> bool:
    try:
        chr(code).encode("gbk")
        return True
    except UnicodeEncodeError:
        return False


options = subset.Options()
options.hinting = False
options.glyph_names = False
options.layout_features = []
options.notdef_outline = True
options.name_IDs = [0, 1, 2, 5, 13, 14]
options.drop_tables += ["GSUB", "GPOS", "GDEF", "vhea", "vmtx"]

font = TTFont(sys.argv[1], recalcTimestamp=False)
chosen = subset.Subsetter(options)
chosen.populate(unicodes=[c for c in range(0x4E00, 0xA000) if in_gbk(c)] + [*range(0x3000, 0x3020), *range(0xFF01, 0xFF5F)])
chosen.subset(font)
plain = io.BytesIO()
font.save(plain)
target = pathlib.Path(__file__).parent.parent / "internal/ecg/draw/fonts/droid-sans-fallback-han.ttf.gz"
target.write_bytes(gzip.compress(plain.getvalue(), 9, mtime=0))
