//! Settings of the spiking networks as text.

use super::EifSimulation;
use crate::simulate::settings::{Setting, number, whole};

pub(in crate::simulate) const SETTINGS: [Setting<EifSimulation>; 7] = [
    Setting { key: "trials", expected: "a whole number of trials, for example 1000", read: |s, v| whole(v).map(|n| s.trials = n) },
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting {
        key: "conn",
        expected: "the median weight of coupled pairs of units: 0 for no coupling, 0.1 and 0.2 in the paper",
        read: |s, v| number(v).map(|x| s.conn = x),
    },
    Setting {
        key: "rho",
        expected: "the share of slow background common to the areas, from 0 to 1; its correlation is the square root: 0.45 for 0.2, 0.63 for 0.4",
        read: |s, v| number(v).map(|x| s.rho = x),
    },
    Setting {
        key: "background",
        expected: "the standard deviation of the slow background in mV per 0.1 ms, 0.05 in the paper's figures",
        read: |s, v| number(v).map(|x| s.background = x),
    },
    Setting { key: "units", expected: "a whole number of units per area, for example 50", read: |s, v| whole(v).map(|n| s.units = n) },
    Setting {
        key: "coupled",
        expected: "a whole number of units that take part in a coupling on either side",
        read: |s, v| whole(v).map(|n| s.coupled = n),
    },
];
