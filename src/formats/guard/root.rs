//! A first look into an HDF5 file: what lies at its root, by which NWB, MATLAB and the others are told apart.

use std::path::Path;
use std::sync::Arc;

use super::source::{BoundedSource, Shared};
use super::{is_hdf5, properties};
use crate::formats::{FormatError, Probe};

/// What lies at the root of an HDF5 file, by which its formats are told apart.
pub(in crate::formats) struct Root {
    /// Names of groups and datasets, sorted.
    pub(in crate::formats) names: Vec<String>,
    /// The file says that it is NWB.
    pub(in crate::formats) nwb: bool,
    /// The file has what MATLAB leaves: its store of cells, or a class on a variable.
    pub(in crate::formats) matlab: bool,
}

/// Look at the root of a file that begins with `head`; `None` when this is no HDF5 file or its root cannot be read. Ask
/// [`Probe::hdf5_root`], which looks once.
pub(in crate::formats) fn root(path: &Path, head: &[u8]) -> Option<Root> {
    if !is_hdf5(head) {
        return None;
    }
    let file = hdf5_pure::File::from_source_with_options(Shared(Arc::new(BoundedSource::on_disk(path).ok()?)), properties()).ok()?;
    let root = file.group("/").ok()?;
    let mut names = root.groups().ok()?;
    let datasets = root.datasets().ok()?;
    let class = |name: &String| root.dataset(name).is_ok_and(|d| d.attrs().unwrap_or_default().contains_key("MATLAB_class"));
    // Structs and sparse arrays are groups.
    let of_group =
        |name: &String| file.group(&format!("/{name}")).is_ok_and(|g| g.attrs().unwrap_or_default().contains_key("MATLAB_class"));
    let matlab = names.iter().any(|n| n == "#refs#") || datasets.iter().take(8).any(class) || names.iter().take(8).any(of_group);
    names.extend(datasets);
    names.sort();
    let attributes = root.attrs().unwrap_or_default();
    Some(Root { names, nwb: attributes.contains_key("nwb_version"), matlab })
}

/// Why an HDF5 file that no format claims cannot be opened.
pub(in crate::formats) fn unknown(probe: &Probe) -> FormatError {
    let path = probe.path;
    let Some(root) = probe.hdf5_root() else {
        return FormatError::corrupt(path, "the file header", "its root group cannot be read");
    };
    let shown: Vec<&str> = root.names.iter().take(12).map(String::as_str).collect();
    let found = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
    FormatError::Unknown {
        path: path.to_owned(),
        found: format!("this HDF5 file has no known layout (it has {found})"),
        remedy: "spikes are read from /units (NWB), train_spikes_heldin (NLB), train_data (LFADS) or a MATLAB file".to_owned(),
    }
}
