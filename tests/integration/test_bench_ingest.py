"""The bench of the way into the database runs, small, and its figures are those of what it did."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_small_run() -> None:
    sizes = ["--rows", "30", "--rounds", "1", "--posts", "20", "--cases", "10", "--polls", "2", "--json"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("IHALA_")}
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", *sizes],
        cwd=ROOT,
        env=plain,
        stdout=subprocess.PIPE,
        check=True,
        timeout=240,
    )
    told = json.loads(ran.stdout)
    [intake] = told["intake"]
    assert (intake["who"], intake["posts"], intake["durable"]) == ("ihala", 20, 20)
    [read] = told["catch_up"]
    [only] = read["rounds"]
    assert only["get_table"]["rows"] == only["ihala"]["stored"] == only["ihala"]["parsed"] == 30
    assert only["ihala"]["cased"] >= 10
    assert only["ihala"]["opened"] == only["ihala"]["cased"]
    assert 0 < read["poll"]["own_ms"] < read["poll"]["wall_ms"]
