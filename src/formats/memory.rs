//! How much memory there is, so that a file too large for it is refused with a figure before anything is read.

use std::path::Path;

use super::OpenOptions;

/// Share of the free memory that one array of a file may take: it is held at least twice while it is sorted and checked.
const SHARE: u64 = 2;

/// Memory that this program can still have, bytes: what the machine has free, or less where the process may have less (containers, jobs
/// of a cluster). `None` where the system does not say.
pub fn available() -> Option<u64> {
    let machine = parse(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(group().map_or(machine, |group| machine.min(group)))
}

/// What the control groups (version 2) of this process leave; `None` without a limit.
fn group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(own.trim_start_matches('/'));
    own.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(left_in).min()
}

/// Limit less use, where what is only kept of files (and given back when it is needed) counts as free.
fn left_in(folder: &Path) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    // Without a limit the word is "max".
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok()).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

fn parse(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

impl OpenOptions {
    /// The defaults, with arrays no larger than this machine can hold now.
    pub fn for_this_machine() -> Self {
        let options = Self::default();
        let max_bytes = available().map_or(options.max_bytes, |free| options.max_bytes.min((free / SHARE).max(64 << 20)));
        Self { max_bytes, ..options }
    }
}

/// What opening will ask of the machine, before it is begun: "480.0 MB on disk, 14.2 GB of memory free". `None` for what cannot be
/// told (a folder, another system).
pub fn beforehand(path: &Path) -> Option<String> {
    let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let free = available().map(|free| format!(", {} of memory free", bytes(free))).unwrap_or_default();
    Some(format!("{} on disk{free}", bytes(file.len())))
}

/// A size in words.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn free_memory_is_read_and_limits_what_is_opened() {
        assert_eq!(parse("MemTotal:  100 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!((parse("MemFree: 1 kB"), parse("MemAvailable: many")), (None, None));
        assert!(OpenOptions::for_this_machine().max_bytes <= OpenOptions::default().max_bytes);
    }

    #[test]
    fn a_group_with_a_limit_leaves_what_it_does_not_use() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(left_in(folder.path()), None);
        write("memory.max", "max\n");
        write("memory.current", "600\n");
        assert_eq!(left_in(folder.path()), None, "no limit");
        write("memory.max", "1000\n");
        assert_eq!(left_in(folder.path()), Some(400));
        write("memory.stat", "anon 100\ninactive_file 250\n");
        assert_eq!(left_in(folder.path()), Some(650));
        write("memory.current", "2000\n");
        assert_eq!(left_in(folder.path()), Some(0));
    }

    #[test]
    fn a_file_is_announced_with_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, vec![b'1'; 1500]).unwrap();
        assert!(beforehand(&path).unwrap().starts_with("1.5 kB on disk"));
        assert_eq!((beforehand(folder.path()), beforehand(&folder.path().join("none"))), (None, None));
        assert_eq!((bytes(2_500_000), bytes(3_000_000_000)), ("2.5 MB".to_owned(), "3.0 GB".to_owned()));
    }
}
