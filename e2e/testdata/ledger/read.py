"""Reads statistics with software that others wrote: the workbook with openpyxl, the report with the SMART client's models.

usage: read.py WORKBOOK.xlsx REPORT.json LISTS.json
prints the workbook's total line, then each population of the report, then how many entries its lists have.
"""
import json
import sys

import openpyxl
from fhirclient.models.measurereport import MeasureReport

sheet = openpyxl.load_workbook(sys.argv[1]).active
rows = list(sheet.iter_rows(values_only=True))
total = dict(zip([str(c).split(" ")[-1] for c in rows[0]], rows[-1]))
print("workbook", "offered", total["offered"], "accepted", total["accepted"], "rate", total["rate"])
for cell in rows[-1][2:12]:  # behind the two columns that name the row
    assert isinstance(cell, int), f"{cell!r} is no number"

with open(sys.argv[2], encoding="utf-8") as f:
    report = MeasureReport(json.load(f))  # strict: an unknown element is an error
print("report", report.type, *(f"{p.code.coding[0].code}={p.count}" for p in report.group[0].population), f"score={report.group[0].measureScore.value}")

with open(sys.argv[3], encoding="utf-8") as f:
    lists = MeasureReport(json.load(f))
of = {c.id: len(c.entry) for c in lists.contained}
print("lists", *(f"{p.code.coding[0].code}={of[p.subjectResults.reference[1:]]}" for p in lists.group[0].population if p.subjectResults))
