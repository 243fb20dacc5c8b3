"""The benchmarks run: what a real watcher does with their broker is found out here, not when a figure is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.gate
@pytest.mark.timeout(180)
def test_a_benchmark_with_a_broker_of_its_own_ends_with_figures():
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "latency"]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "receipt to broker, p50" in done.stdout
