//! Arguments to a command to an exit code; nothing else.

fn main() -> std::process::ExitCode {
    confirmd::cli::main(std::env::args_os())
}
