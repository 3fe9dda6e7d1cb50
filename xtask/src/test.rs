//! `cargo xtask test`: every test, on the same software Vulkan everywhere, with a display for the ones that open a real window.

use std::process::Command;

use crate::process::{Failure, cargo, run, target_dir};
use crate::system::{Purpose, can_install, ensure, software_vulkan, with_runtime_folder};
use crate::virtual_display::VirtualDisplay;

/// Run `cargo test` over the workspace with these further arguments (a test name, `-- --nocapture`, …).
pub fn run_tests(arguments: &[String]) -> Result<(), Failure> {
    ensure(&[Purpose::DrawInSoftware, Purpose::Window, Purpose::VirtualDisplay])?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace", "--no-fail-fast"]).args(arguments);
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
