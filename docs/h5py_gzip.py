"""Copy an NWB file with its spike times in gzip chunks, as pynwb users store them.

    python docs/h5py_gzip.py big.nwb big_gzip.nwb
"""

import shutil
import sys

import h5py

shutil.copyfile(sys.argv[1], sys.argv[2])
with h5py.File(sys.argv[2], "r+") as file:
    times = file["units/spike_times"]
    attributes, values = dict(times.attrs), times[:]
    del file["units/spike_times"]
    new = file["units"].create_dataset("spike_times", data=values, chunks=(131072,), compression="gzip", compression_opts=4)
    new.attrs.update(attributes)
