//! System packages: what the program opens at run time, what is missing here, and how to get it.
//!
//! Nothing but Rust and a C linker is needed to build. The window library and the GPU library load these when they start
//! (winit 0.30: Xlib, Xcursor, Xlib-xcb, XInput, xkbcommon, Wayland; x11rb: xcb; ash 0.38: Vulkan), so a missing one shows
//! only as a window that does not open.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{Failure, run, target_dir};

/// What a command is going to do, hence what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Draw without a window, on any Vulkan driver.
    Draw,
    /// Draw on software Vulkan, so that pictures are the same on every machine.
    DrawInSoftware,
    /// Open a window under X11 or Wayland.
    Window,
    /// Open a window where there is no display.
    VirtualDisplay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    Library(&'static str),
    Program(&'static str),
    VulkanDriver,
    SoftwareVulkanDriver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    evidence: Evidence,
    package: &'static str,
}

const fn library(name: &'static str, package: &'static str) -> Need {
    Need { evidence: Evidence::Library(name), package }
}

const VULKAN_LOADER: Need = library("libvulkan.so.1", "libvulkan1");
const MESA: &str = "mesa-vulkan-drivers";

const DRAW: &[Need] = &[VULKAN_LOADER, Need { evidence: Evidence::VulkanDriver, package: MESA }];
const DRAW_IN_SOFTWARE: &[Need] = &[VULKAN_LOADER, Need { evidence: Evidence::SoftwareVulkanDriver, package: MESA }];
const WINDOW: &[Need] = &[
    library("libX11.so.6", "libx11-6"),
    library("libX11-xcb.so.1", "libx11-xcb1"),
    library("libxcb.so.1", "libxcb1"),
    library("libXcursor.so.1", "libxcursor1"),
    library("libXi.so.6", "libxi6"),
    library("libxkbcommon.so.0", "libxkbcommon0"),
    library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    library("libwayland-client.so.0", "libwayland-client0"),
];
const VIRTUAL_DISPLAY: &[Need] = &[Need { evidence: Evidence::Program("Xvfb"), package: "xvfb" }];

impl Purpose {
    fn needs(self) -> &'static [Need] {
        match self {
            Self::Draw => DRAW,
            Self::DrawInSoftware => DRAW_IN_SOFTWARE,
            Self::Window => WINDOW,
            Self::VirtualDisplay => VIRTUAL_DISPLAY,
        }
    }
}

/// What this machine has.
#[derive(Debug, Default)]
struct Machine {
    libraries: BTreeSet<String>,
    programs: BTreeSet<&'static str>,
    drivers: Vec<PathBuf>,
    debian: bool,
    root: bool,
}

impl Machine {
    fn look() -> Self {
        let wanted = VIRTUAL_DISPLAY.iter().filter_map(|need| match need.evidence {
            Evidence::Program(name) => Some(name),
            _ => None,
        });
        Self {
            libraries: loader_cache(),
            programs: wanted.filter(|name| on_path(name)).collect(),
            drivers: vulkan_drivers(),
            debian: can_install(),
            root: is_root(),
        }
    }

    fn has(&self, evidence: Evidence) -> bool {
        match evidence {
            Evidence::Library(name) => self.libraries.contains(name),
            Evidence::Program(name) => self.programs.contains(name),
            Evidence::VulkanDriver => !self.drivers.is_empty(),
            Evidence::SoftwareVulkanDriver => self.drivers.iter().any(|driver| is_software(driver)),
        }
    }
}

/// What to do about what is missing.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    Install(Vec<&'static str>),
    AskForRoot(String),
    Tell(String),
}

/// Install what these purposes need and this machine lacks.
///
/// Where that is not possible without root, [`Failure::Message`] is the one line to run. On a system without `apt-get` it
/// says what is needed and goes on.
pub fn ensure(purposes: &[Purpose]) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    match plan(purposes, &Machine::look()) {
        Plan::Nothing => Ok(()),
        Plan::Tell(text) => {
            println!("{text}");
            Ok(())
        }
        Plan::AskForRoot(text) => Err(Failure::Message(text)),
        Plan::Install(packages) => {
            install(&packages)?;
            match plan(purposes, &Machine::look()) {
                Plan::Install(still) => Err(Failure::Message(format!("{} installed, yet what they bring is not found", still.join(" ")))),
                _ => Ok(()),
            }
        }
    }
}

fn plan(purposes: &[Purpose], machine: &Machine) -> Plan {
    let mut packages = Vec::new();
    let mut lacking = Vec::new();
    for need in purposes.iter().flat_map(|purpose| purpose.needs()) {
        if !machine.has(need.evidence) && !packages.contains(&need.package) {
            packages.push(need.package);
            lacking.push(match need.evidence {
                Evidence::Library(name) | Evidence::Program(name) => name,
                Evidence::VulkanDriver => "a Vulkan driver",
                Evidence::SoftwareVulkanDriver => "Mesa's software Vulkan driver (lavapipe)",
            });
        }
    }
    if packages.is_empty() {
        Plan::Nothing
    } else if !machine.debian {
        Plan::Tell(format!("Spikescope needs these, which were not found here: {}. Going on without them.", lacking.join(", ")))
    } else if machine.root {
        Plan::Install(packages)
    } else {
        Plan::AskForRoot(format!("system packages are missing; run this and try again:\n  sudo apt-get install -y {}", packages.join(" ")))
    }
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    println!("Installing system packages: {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        // Another installation may be under way: wait for its lock instead of failing. Errors go to the screen, the hundreds
        // of lines about unpacking do not.
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
        command.args(arguments).stdout(Stdio::null());
        command
    };
    // The list may be fresh enough even where it cannot be fetched now.
    if run(&mut apt(&["update"])).is_err() {
        println!("The package list could not be refreshed; trying with the one that is here.");
    }
    let mut install = apt(&["install", "-y", "--no-install-recommends"]);
    run(install.args(packages))
        .map_err(|_| Failure::Message(format!("apt-get could not install {}; its message is above", packages.join(" "))))
}

/// Whether [`ensure`] can bring what is missing.
pub fn can_install() -> bool {
    on_path("apt-get")
}

/// Driver file of Mesa's software Vulkan, if it is installed.
pub fn software_vulkan() -> Option<PathBuf> {
    vulkan_drivers().into_iter().find(|driver| is_software(driver))
}

/// Give a program the private folder that Mesa and Wayland ask for, where the login gave none (containers): they complain about
/// its absence at every start.
pub fn with_runtime_folder(command: &mut Command) {
    if cfg!(target_os = "linux") && env::var_os("XDG_RUNTIME_DIR").is_none() {
        let folder = target_dir().join("runtime");
        if make_private(&folder).is_ok() {
            command.env("XDG_RUNTIME_DIR", folder);
        }
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

fn is_software(driver: &Path) -> bool {
    driver.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"))
}

fn vulkan_drivers() -> Vec<PathBuf> {
    let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/etc/vulkan/icd.d"];
    let mut drivers: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    drivers.sort();
    drivers
}

fn loader_cache() -> BTreeSet<String> {
    // `ldconfig` is in a folder that is on root's path only.
    let printed = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
        .iter()
        .find_map(|program| Command::new(program).arg("-p").output().ok().filter(|output| output.status.success()));
    printed.map_or_else(BTreeSet::new, |output| libraries(&String::from_utf8_lossy(&output.stdout), env::consts::ARCH))
}

/// Names of the libraries of this architecture in what `ldconfig -p` prints.
fn libraries(printed: &str, architecture: &str) -> BTreeSet<String> {
    let label = match architecture {
        "x86_64" => "x86-64",
        "aarch64" => "AArch64",
        _ => "",
    };
    let entries = printed.lines().filter_map(|line| line.split_once(" ("));
    entries.filter(|(_, rest)| rest.contains(label)).map(|(name, _)| name.trim().to_owned()).collect()
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const LDCONFIG: &str = "\
3 libs found in cache `/etc/ld.so.cache'
\tlibvulkan.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libvulkan.so.1
\tlibxcb.so.1 (libc6) => /lib/i386-linux-gnu/libxcb.so.1
\tlibX11.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => /lib/x86_64-linux-gnu/libX11.so.6
";

    fn debian(root: bool) -> Machine {
        Machine { debian: true, root, ..Machine::default() }
    }

    fn complete(purposes: &[Purpose]) -> Machine {
        let mut machine = debian(true);
        for need in purposes.iter().flat_map(|purpose| purpose.needs()) {
            match need.evidence {
                Evidence::Library(name) => drop(machine.libraries.insert(name.to_owned())),
                Evidence::Program(name) => drop(machine.programs.insert(name)),
                Evidence::VulkanDriver => machine.drivers.push("/usr/share/vulkan/icd.d/radeon_icd.x86_64.json".into()),
                Evidence::SoftwareVulkanDriver => machine.drivers.push("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json".into()),
            }
        }
        machine
    }

    #[test]
    fn only_libraries_of_this_architecture_count() {
        let found = libraries(LDCONFIG, "x86_64");
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["libX11.so.6", "libvulkan.so.1"]);
        assert!(libraries(LDCONFIG, "aarch64").is_empty());
        assert_eq!(libraries(LDCONFIG, "riscv64").len(), 3);
    }

    #[test]
    fn a_complete_machine_needs_nothing() {
        let all = [Purpose::DrawInSoftware, Purpose::Window, Purpose::VirtualDisplay];
        assert_eq!(plan(&all, &complete(&all)), Plan::Nothing);
    }

    #[test]
    fn root_installs_each_missing_package_once() {
        let Plan::Install(packages) = plan(&[Purpose::Draw, Purpose::DrawInSoftware, Purpose::VirtualDisplay], &debian(true)) else {
            panic!("root can install");
        };
        assert_eq!(packages, ["libvulkan1", "mesa-vulkan-drivers", "xvfb"]);
    }

    #[test]
    fn one_missing_library_is_one_package() {
        let mut machine = complete(&[Purpose::Window]);
        machine.libraries.remove("libxkbcommon-x11.so.0");
        assert_eq!(plan(&[Purpose::Window], &machine), Plan::Install(vec!["libxkbcommon-x11-0"]));
    }

    #[test]
    fn a_hardware_driver_is_enough_to_draw_but_not_for_comparable_pictures() {
        let machine = complete(&[Purpose::Draw]);
        assert_eq!(plan(&[Purpose::Draw], &machine), Plan::Nothing);
        assert_eq!(plan(&[Purpose::DrawInSoftware], &machine), Plan::Install(vec!["mesa-vulkan-drivers"]));
    }

    #[test]
    fn others_get_the_line_to_run() {
        let Plan::AskForRoot(text) = plan(&[Purpose::VirtualDisplay], &debian(false)) else {
            panic!("only root can install");
        };
        assert!(text.ends_with("sudo apt-get install -y xvfb"), "{text}");
    }

    #[test]
    fn other_systems_are_told_and_go_on() {
        let Plan::Tell(text) = plan(&[Purpose::Draw], &Machine::default()) else {
            panic!("nothing can be installed without apt-get");
        };
        assert!(text.contains("libvulkan.so.1") && text.contains("a Vulkan driver"), "{text}");
    }
}
