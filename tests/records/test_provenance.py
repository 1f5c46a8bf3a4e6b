"""What a result says of the machine it was made on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from experiments.records import provenance
from experiments.records.provenance import machine_provenance

ROOT = Path(__file__).parent.parent.parent
TWO_CORES = """processor\t: 0
model name\t: AMD EPYC
flags\t\t: fpu avx fma avx2 avx512_vnni

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


def test_a_processor_is_its_name_and_the_instructions_by_which_kernels_are_chosen():
    assert provenance._processor(TWO_CORES) == "AMD EPYC (avx2, fma, avx512_vnni)"
    assert provenance._processor("model name : Cortex\nFeatures : asimd\n") == "Cortex"
    assert provenance._processor("") != ""  # then the architecture


def test_the_machine_is_described_without_tensorflow():
    code = (
        "import sys; from experiments.records.provenance import machine_provenance\n"
        "print(machine_provenance()['packages']['tensorflow'], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == [machine_provenance()["packages"]["tensorflow"], "False"]
