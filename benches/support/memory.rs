//! How much memory a process has, as the kernel counts it.

use std::path::Path;

/// This process's resident memory.
pub fn own_rss_bytes() -> u64 {
    kilobytes(Path::new("/proc/self/status"), "VmRSS") * 1024
}

/// One line of a process's status in KiB, such as `VmHWM`, the most that it ever had.
pub fn of_process(id: u32, field: &str) -> u64 {
    kilobytes(Path::new(&format!("/proc/{id}/status")), field)
}

fn kilobytes(status: &Path, field: &str) -> u64 {
    let status = std::fs::read_to_string(status).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let value = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    value
        .and_then(|text| text.parse().ok())
        .expect("a field of the status")
}
