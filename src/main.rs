//! The door: parse, run, and turn an error into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    strongroom::cli::main()
}
