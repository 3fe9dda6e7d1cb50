//! `cargo xtask test`: every test, on the same software Vulkan everywhere, with a display for the ones that open a real window.

use std::process::Command;

use crate::process::{Failure, cargo, run, target_dir};
use crate::system::{Purpose, can_install, ensure, software_vulkan, with_runtime_folder};
use crate::virtual_display::VirtualDisplay;

/// Run `cargo test` over the workspace with these further arguments (a test name, `-- --nocapture`, …).
pub fn run_tests(arguments: &[String]) -> Result<(), Failure> {
    ensure(&[Purpose::DrawInSoftware, Purpose::Window, Purpose::VirtualDisplay])?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--no-fail-fast"]);
    if !names_packages(arguments) {
        tests.arg("--workspace");
    }
    tests.args(arguments);
    draw_in_software(&mut tests);
    keep_settings_apart(&mut tests);
    with_runtime_folder(&mut tests);
    let display = if cfg!(target_os = "linux") { start_display()? } else { None };
    if let Some(display) = &display {
        // The second name tells the test of the real window that this display is there for it.
        tests.env("DISPLAY", display.name()).env("SPIKESCOPE_XVFB_DISPLAY", display.name());
        tests.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    }
    run(&mut tests)
}

/// Whether the arguments for cargo (those before `--`) choose packages themselves.
fn names_packages(arguments: &[String]) -> bool {
    let mut for_cargo = arguments.iter().take_while(|argument| *argument != "--");
    for_cargo.any(|argument| argument.starts_with("-p") || argument.starts_with("--package") || argument == "--workspace")
}

fn start_display() -> Result<Option<VirtualDisplay>, Failure> {
    match VirtualDisplay::start() {
        Ok(display) => Ok(Some(display)),
        // Where packages cannot be installed, the missing one was already named.
        Err(Failure::Message(why)) if !can_install() => {
            println!("{why}\nThe test of the real window does not run.");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn draw_in_software(command: &mut Command) {
    if let Some(driver) = software_vulkan() {
        // The loader of 2022 and later reads the first name, older ones the second.
        // Tuning kernels on a software GPU costs minutes and teaches nothing.
        command.env("CUBECL_AUTOTUNE_LEVEL", "minimal");
        command.env("VK_DRIVER_FILES", &driver).env("VK_ICD_FILENAMES", &driver).env("WGPU_BACKEND", "vulkan");
    }
}

/// Tests never read or change the settings of the person who runs them.
fn keep_settings_apart(command: &mut Command) {
    let home = target_dir().join("test-home");
    for (variable, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_STATE_HOME", "state")] {
        command.env(variable, home.join(folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_before_the_double_dash_only() {
        let names = |line: &str| names_packages(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(names("-p xtask") && names("--package=xtask") && names("spdx -pxtask"));
        assert!(!names("") && !names("spdx") && !names("spdx -- -p"));
    }
}
