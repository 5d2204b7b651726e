//! Arguments to a command to an exit code; nothing else.

fn main() {}
