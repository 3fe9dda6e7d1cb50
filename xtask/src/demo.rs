//! `cargo xtask demo`: build, then the demo recording in a window, or without one where there is no display.

use std::env;

use crate::process::{Failure, build_spikescope, run, spikescope};
use crate::system::{Purpose, ensure, with_runtime_folder};

/// Build and run `spikescope demo` with these further arguments.
pub fn run_demo(arguments: &[String]) -> Result<(), Failure> {
    let asked = arguments.iter().any(|argument| argument == "--headless");
    let headless = asked || !has_display(|variable| env::var(variable).ok());
    if headless && !asked {
        println!("There is no display here (DISPLAY and WAYLAND_DISPLAY are not set): running the demo without a window.");
    }
    ensure(if headless { &[Purpose::Draw] } else { &[Purpose::Draw, Purpose::Window] })?;
    build_spikescope()?;
    let mut demo = spikescope(&["demo"]);
    with_runtime_folder(&mut demo);
    if headless && !asked {
        demo.arg("--headless");
    }
    run(demo.args(arguments))
}

/// Whether a window can open: always on systems that are not X11 or Wayland.
pub fn has_display(variable: impl Fn(&str) -> Option<String>) -> bool {
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variable(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_x11_or_wayland_and_not_empty() {
        let with = |set: &'static [(&str, &str)]| {
            has_display(move |wanted| set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned()))
        };
        assert!(with(&[("DISPLAY", ":0")]));
        assert!(with(&[("WAYLAND_DISPLAY", "wayland-0")]));
        assert!(with(&[("DISPLAY", ""), ("WAYLAND_DISPLAY", "wayland-0")]));
        assert!(!with(&[("DISPLAY", "")]));
        assert!(!with(&[]));
    }
}
