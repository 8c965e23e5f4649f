"""The package hl7 as a laboratory's system: sends the messages of files, as they are, over one connection; hl7apy reads the answers.

    python send.py HOST PORT FILE...

It prints "FILE CODE CONTROL PLACE" for each answer: MSA-1, MSA-2, and the first place of an error where there is one.
"""
import os
import sys

from hl7.client import MLLPClient
from hl7apy.parser import parse_message

host, port, *files = sys.argv[1:]
with MLLPClient(host, int(port)) as client:
    client.socket.settimeout(60)
    for name in files:
        with open(name, "rb") as f:
            answer = client.send(b"\x0b" + f.read() + b"\x1c\x0d")
        while not answer.endswith(b"\x1c\x0d"):
            answer += client.socket.recv(4096)
        m = parse_message(answer[1:-2].decode("utf-8", "replace"), find_groups=False)
        err = m.err[0].to_er7().split("|") if len(m.err) else []
        place = err[2] if len(err) > 2 else err[1] if len(err) > 1 else ""  # ERR-1 before version 2.5
        print(os.path.basename(name), m.msa.msa_1.to_er7(), m.msa.msa_2.to_er7(), place)
