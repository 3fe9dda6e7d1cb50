"""Read the spike times of an NWB file with h5py alone: the least that any Python reader does.

    python docs/h5py_read.py FILE.nwb 5
"""

import statistics
import sys
import time

import h5py

path, rounds = sys.argv[1], int(sys.argv[2])
times = []
for _ in range(rounds):
    begun = time.perf_counter()
    with h5py.File(path, "r") as file:
        spikes = file["units/spike_times"][:]
        ends = file["units/spike_times_index"][:]
    times.append(1e3 * (time.perf_counter() - begun))
print(f"{len(spikes)} spikes, {len(ends)} units: fastest {min(times):.1f} ms, median {statistics.median(times):.1f} ms")
