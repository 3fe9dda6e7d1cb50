//! NWB that we write, checked by pynwb itself: the schema validates, and pynwb reads the same spikes, areas, tables and series. Runs
//! where Python with pynwb is found (`SPIKESCOPE_PYTHON`, else `python3`); elsewhere it says that it did not run, and passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "helpers that other targets use")]
#[path = "formats/samples.rs"]
mod samples;

use std::io::Write;
use std::process::Command;

use serde_json::{Value, json};
use spikescope::formats::save;
use spikescope::recording::Recording;

const READ: &str = r#"
import json, sys, pynwb
path = sys.argv[1]
found = pynwb.validate(path=path)
errors = found[0] if isinstance(found, tuple) else found
with pynwb.NWBHDF5IO(path, 'r', load_namespaces=True) as io:
    nwb = io.read()
    units = nwb.units
    frame = units.to_dataframe()
    areas = [str(nwb.electrodes['location'][int(e.index[0])]) for e in frame['electrodes']] if len(units) else []
    group = nwb.electrodes['group'][0] if len(nwb.electrodes) else None
    tables = {name: [list(map(float, t['start_time'][:])), list(map(float, t['stop_time'][:])), list(t.colnames)] for name, t in (nwb.intervals or {}).items()}
    series = {name: [list(map(float, s.timestamps[:])), list(map(float, s.data[:])), s.unit] for name, s in nwb.acquisition.items()}
    print(json.dumps({'errors': [str(e) for e in errors], 'ids': [int(i) for i in units.id[:]], 'areas': areas, 'device': group.device.name if group else None,
        'spikes': [list(map(float, units['spike_times'][k])) for k in range(len(units))], 'columns': list(units.colnames), 'tables': tables, 'series': series}))
"#;

/// A Python that can import pynwb.
fn python() -> Option<String> {
    let named = std::env::var("SPIKESCOPE_PYTHON").ok();
    let found = named.into_iter().chain(["python3".to_owned()]).find(|python| {
        let tried = Command::new(python).args(["-c", "import pynwb"]).output();
        tried.is_ok_and(|o| o.status.success())
    });
    if found.is_none() {
        // Straight to stderr, because the output of tests that pass is not shown.
        let _ = writeln!(std::io::stderr(), "pynwb not found: NWB export was not checked with it (set SPIKESCOPE_PYTHON)");
    }
    found
}

fn by_pynwb(python: &str, recording: &Recording) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.nwb");
    save(recording, &path).unwrap();
    let output = Command::new(python).args(["-W", "ignore", "-c", READ]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn spikes(recording: &Recording) -> Vec<&[f64]> {
    (0..recording.n_units()).map(|u| recording.spikes.unit(u)).collect()
}

#[test]
fn pynwb_validates_what_we_write_and_reads_the_same() {
    let Some(python) = python() else { return };
    let recording = samples::full();
    let found = by_pynwb(&python, &recording);
    assert_eq!(found["errors"], json!([]));
    assert_eq!((&found["ids"], &found["device"]), (&json!([1011, 1022, 2001, 2002, 3]), &json!("electrodes")));
    assert_eq!(found["areas"], json!(["PMd – α", "M1", "M1", "PMd – α", ""]));
    assert_eq!(found["spikes"], json!(spikes(&recording)));
    assert_eq!(found["tables"]["trials"][0], json!([0.0, 5.0]));
    assert_eq!(found["tables"]["trials"][2], json!(["start_time", "stop_time", "move_onset_time", "target", "correct", "split"]));
    assert_eq!(found["series"]["pupil"], json!([[0.0, 0.5, 1.0], [2.0, 2.25, 2.5], "mm"]));
    for column in ["spike_times", "electrodes", "obs_intervals", "heldout", "quality", "depth", "channel"] {
        assert!(found["columns"].as_array().unwrap().contains(&json!(column)), "{column}: {}", found["columns"]);
    }
}

#[test]
fn pynwb_validates_recordings_with_hardly_anything_in_them() {
    let Some(python) = python() else { return };
    for recording in [samples::small(&["A1", "007"], &[&[1.0, 2.0], &[0.5]], &["x", "y"]), samples::small(&["1"], &[&[]], &["x"])] {
        let found = by_pynwb(&python, &recording);
        assert_eq!(found["errors"], json!([]), "{:?}", recording.units.ids);
        assert_eq!(found["spikes"], json!(spikes(&recording)));
    }
}
