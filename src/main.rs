//! The program: everything is in the library, see `spikescope::cli`.

/// Training allocates and frees large arrays in every step; this allocator keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    spikescope::cli::main()
}
