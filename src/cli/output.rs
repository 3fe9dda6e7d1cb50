//! Writing to the terminal without failing when nobody listens (`spikescope info … | head`).

use std::io::{self, ErrorKind, Write};

/// A result, to standard output. A reader that has gone is no error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow::Error::new(error).context("writing to standard output")),
        _ => Ok(()),
    }
}

/// A message, to standard error. When that is closed there is nobody to tell.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Largest memory this process has used so far, MB; `None` where the system does not say.
pub(super) fn peak_rss_mb() -> Option<f64> {
    status_mb("VmHWM:")
}

/// Memory this process uses now, MB; `None` where the system does not say.
pub(super) fn rss_mb() -> Option<f64> {
    status_mb("VmRSS:")
}

fn status_mb(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib / 1024.0 * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_known_on_linux() {
        let (now, peak) = (super::rss_mb(), super::peak_rss_mb());
        assert!(now.is_some_and(|mb| mb > 1.0) && peak.is_some_and(|mb| mb < 1e6) && now <= peak);
    }
}
