//! The program: everything is in the library, see `spikescope::cli`.

fn main() -> std::process::ExitCode {
    spikescope::cli::main()
}
