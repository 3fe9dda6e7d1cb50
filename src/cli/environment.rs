//! Environment that has to be there when the process begins.

/// Mesa's layer that reads this picks a device after asking the Wayland compositor; with the variable it does not.
#[cfg(target_os = "linux")]
const NO_DEVICE_SELECTION: &str = "NODEVICE_SELECT";

/// Without a runtime folder (containers, bare servers) that question makes libwayland print an error several times, which
/// means nothing to the user. There is no compositor to ask then, so the program starts itself again with the question
/// switched off. Only this process can be replaced safely: changing the own environment is not possible in safe Rust.
#[cfg(target_os = "linux")]
pub(super) fn settle() {
    use std::env::{args_os, current_exe, var_os};
    use std::os::unix::process::CommandExt;
    let missing = |name: &str| var_os(name).is_none_or(|value| value.is_empty());
    if !missing("XDG_RUNTIME_DIR") || !missing("WAYLAND_DISPLAY") || var_os(NO_DEVICE_SELECTION).is_some() {
        return;
    }
    let (Ok(program), mut arguments) = (current_exe(), args_os()) else { return };
    let name = arguments.next().unwrap_or_default();
    // Comes back only when it failed; the error lines are then printed, nothing worse.
    let _ = std::process::Command::new(program).arg0(name).args(arguments).env(NO_DEVICE_SELECTION, "1").exec();
}

/// Other systems need nothing.
#[cfg(not(target_os = "linux"))]
pub(super) fn settle() {}
