//! `cargo xtask validate`: published benchmarks, repeated by the program itself.

use crate::process::{Failure, build_spikescope, run, spikescope};
use crate::system::{Purpose, ensure, with_runtime_folder};

/// Benchmarks by name, and what they are for `spikescope validate`.
const BENCHMARKS: &[(&str, &[&str])] = &[("glm-transformer", &["false-coupling", "four-areas", "synaptic-current", "ablation"])];

/// Build Spikescope and run a benchmark; further arguments go to `spikescope validate`.
pub fn run_validate(arguments: &[String]) -> Result<(), Failure> {
    let (commands, rest) = chosen(arguments)?;
    ensure(&[Purpose::Draw])?;
    build_spikescope()?;
    for command in commands {
        let mut validate = spikescope(&["validate", command]);
        with_runtime_folder(&mut validate);
        run(validate.args(rest))?;
    }
    Ok(())
}

/// What to run, and the arguments for it.
fn chosen(arguments: &[String]) -> Result<(&'static [&'static str], &[String]), Failure> {
    let names = || BENCHMARKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Failure::Usage(format!("validate needs the name of a benchmark ({})", names())));
    };
    match BENCHMARKS.iter().find(|(known, _)| known == name) {
        Some((_, commands)) => Ok((commands, rest)),
        None => Err(Failure::Usage(format!("there is no benchmark '{name}' (there is: {})", names()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_is_named_and_the_rest_goes_on() {
        let arguments = ["glm-transformer", "--seeds", "1"].map(str::to_owned);
        let all = &["false-coupling", "four-areas", "synaptic-current", "ablation"][..];
        assert_eq!(chosen(&arguments), Ok((all, &arguments[1..])));
        assert!(matches!(chosen(&[]), Err(Failure::Usage(text)) if text.contains("glm-transformer")));
        assert!(matches!(chosen(&["lfads".to_owned()]), Err(Failure::Usage(_))));
    }
}
