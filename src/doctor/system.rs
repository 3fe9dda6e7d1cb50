//! The machine: what a bug report has to say about it, in words and as JSON, without anything personal.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use serde::Serialize;

use super::Privacy;
use crate::app::{Settings, default_runs_dir, default_state_dir};
use crate::formats::memory;
use crate::training::{DeviceChoice, open_device};

/// A graphics adapter, once per way of talking to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// Name.
    pub name: String,
    /// Vulkan, Metal, DX12 or GL.
    pub backend: String,
    /// Driver with its version.
    pub driver: String,
    /// `discrete GPU`, `integrated GPU`, `software`, …
    pub kind: &'static str,
    /// It computes on the CPU.
    pub software: bool,
}

/// A folder the program uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// What it is for.
    pub what: &'static str,
    /// Where it is, without the user's name.
    pub path: String,
    /// It is there.
    pub exists: bool,
    /// Files can be made in it (in the folder above, while it is not there yet).
    pub writable: bool,
    /// Free space on its disk, bytes.
    pub free_bytes: Option<u64>,
}

/// Everything about the machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct System {
    /// Version of this program.
    pub version: &'static str,
    /// Operating system with its version.
    pub os: String,
    /// Processor architecture.
    pub arch: &'static str,
    /// Name of the processor.
    pub cpu: String,
    /// Threads that compute.
    pub threads: usize,
    /// Memory of the machine, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory that programs can still have, bytes.
    pub memory_free_bytes: Option<u64>,
    /// What windows are shown on.
    pub display: String,
    /// Graphics adapters.
    pub adapters: Vec<Adapter>,
    /// Device that training takes by itself.
    pub training_device: String,
    /// Folders.
    pub folders: Vec<Folder>,
}

impl System {
    /// Look at the machine. Takes up to some seconds where drivers are slow.
    pub fn look() -> Self {
        let meminfo = read("/proc/meminfo");
        Self {
            version: env!("CARGO_PKG_VERSION"),
            os: os(),
            arch: std::env::consts::ARCH,
            cpu: cpu(),
            threads: rayon::current_num_threads(),
            memory_bytes: meminfo.as_deref().and_then(|text| kib(text, "MemTotal:")),
            memory_free_bytes: memory::available(),
            display: display(),
            adapters: adapters(),
            training_device: open_device(DeviceChoice::Auto).map_or_else(|e| e.to_string(), |device| device.name),
            folders: folders(),
        }
    }

    /// As lines of text.
    pub fn lines(&self) -> Vec<String> {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "not known".to_owned(), memory::bytes);
        let mut lines = vec![
            format!("Spikescope {}", self.version),
            format!("System: {}, {}", self.os, self.arch),
            format!("Processor: {}, {} threads compute", self.cpu, self.threads),
            format!("Memory: {}, free {}", bytes(self.memory_bytes), bytes(self.memory_free_bytes)),
            format!("Display: {}", self.display),
        ];
        if self.adapters.is_empty() {
            lines.push("Graphics adapters: none; the window needs one (on Linux, mesa-vulkan-drivers gives one in software)".to_owned());
        }
        for adapter in &self.adapters {
            lines.push(format!("Graphics adapter: {}, {}, {}, driver {}", adapter.name, adapter.backend, adapter.kind, adapter.driver));
        }
        lines.push(format!("Training takes: {}", self.training_device));
        for folder in &self.folders {
            let state = match (folder.exists, folder.writable) {
                (true, true) => "writable",
                (false, true) => "not there yet, can be made",
                (true, false) => "NOT writable",
                (false, false) => "not there, CANNOT be made",
            };
            lines.push(format!("Folder for {}: {}, {state}, {} free", folder.what, folder.path, bytes(folder.free_bytes)));
        }
        lines
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A line such as `MemTotal:  1024 kB`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn os() -> String {
    let release = read("/etc/os-release").and_then(|text| field(&text, "PRETTY_NAME=", '"'));
    let kernel = read("/proc/sys/kernel/osrelease").map(|text| format!(", kernel {}", text.trim())).unwrap_or_default();
    format!("{}{kernel}", release.unwrap_or_else(|| std::env::consts::OS.to_owned()))
}

fn cpu() -> String {
    let linux = read("/proc/cpuinfo").and_then(|text| field(&text, "model name\t: ", '\0'));
    let windows = || std::env::var("PROCESSOR_IDENTIFIER").ok();
    linux.or_else(windows).unwrap_or_else(|| "not known".to_owned())
}

/// The rest of the line that begins with `name`, without `quote` around it.
fn field(text: &str, name: &str, quote: char) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?.trim().trim_matches(quote);
    (!value.is_empty()).then(|| value.to_owned())
}

fn display() -> String {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match (cfg!(target_os = "linux"), set("WAYLAND_DISPLAY"), set("DISPLAY")) {
        (false, ..) => "the system's own".to_owned(),
        (true, true, x11) => if x11 { "Wayland (X11 too)" } else { "Wayland" }.to_owned(),
        (true, false, true) => "X11".to_owned(),
        (true, false, false) => "none (neither WAYLAND_DISPLAY nor DISPLAY is set)".to_owned(),
    }
}

fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let found = wait_for(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = |adapter: wgpu::Adapter| {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete GPU",
            wgpu::DeviceType::IntegratedGpu => "integrated GPU",
            wgpu::DeviceType::VirtualGpu => "virtual GPU",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        Adapter { name: info.name, backend: format!("{:?}", info.backend), driver, kind, software }
    };
    found.into_iter().map(adapter).collect()
}

/// Wait for a future on this thread.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn folders() -> Vec<Folder> {
    let settings = Settings::default_path().and_then(|path| path.parent().map(Path::to_owned));
    let own = [("settings", settings), ("runs", default_runs_dir()), ("sessions and reports", default_state_dir())];
    let all = own.into_iter().chain([("temporary files", Some(std::env::temp_dir()))]);
    all.filter_map(|(what, path)| Some(folder(what, &path?))).collect()
}

fn folder(what: &'static str, path: &Path) -> Folder {
    let there: PathBuf = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned();
    Folder {
        what,
        path: Privacy::of_user().path(path),
        exists: path.is_dir(),
        writable: there.is_dir() && tempfile::tempfile_in(&there).is_ok(),
        free_bytes: free_bytes(&there),
    }
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_say_whether_they_can_be_written() {
        let home = tempfile::tempdir().unwrap();
        let there = folder("runs", home.path());
        assert!(there.exists && there.writable);
        let later = folder("runs", &home.path().join("not/yet"));
        assert!(!later.exists && later.writable);
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!folder("runs", &file.join("inside")).writable);
        #[cfg(unix)]
        assert!(there.free_bytes.is_some());
    }

    #[test]
    fn the_machine_is_described_without_names() {
        let system = System::look();
        let text = system.lines().join("\n");
        for part in ["Spikescope", "Processor", "Training takes", "Folder for runs"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(Privacy::of_user().clean(&text), text);
        assert!(field("NAME=\"x\"\nPRETTY_NAME=\"Debian 12\"", "PRETTY_NAME=", '"').is_some_and(|name| name == "Debian 12"));
        assert_eq!((kib("MemTotal: 2 kB", "MemTotal:"), kib("MemTotal: x", "MemTotal:")), (Some(2048), None));
    }
}
