"""What the peers have in common: their arguments, and the line of JSON that says what they took."""

import json
import resource
import sys
import tempfile
import time


def run(sync):
    """Syncs, and prints what the native program prints. CPU is that of the process and its children, start included."""
    url, token, store, properties = sys.argv[1:5]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        records = sync(url, token, store, properties, scratch)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    report = {
        "records": records,
        "bytes": 0,
        "wall": time.monotonic() - began,
        "cpu": sum(each.ru_utime + each.ru_stime for each in usage),
        # Linux counts in KiB.
        "peak_bytes": 1024 * max(each.ru_maxrss for each in usage),
    }
    print(json.dumps(report))
