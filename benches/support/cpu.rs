//! Time as the processor spends it on this thread. On a machine that does other work as well,
//! a wall clock measures that other work.

use criterion::{
    Criterion,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use std::time::Duration;

/// What this thread has taken of the processor, in user and in system mode. Waiting for a disk
/// is not in it.
pub fn taken() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("a clock that Linux has")
        .into()
}

/// What all threads of a process have taken of the processor since its start.
pub fn taken_by(process: u32) -> Duration {
    let process = Pid::from_raw(i32::try_from(process).expect("a process id"));
    let clock = clock_getcpuclockid(process).expect("a running process");
    clock_gettime(clock).expect("a running process").into()
}

/// What a task takes, without dropping what it makes.
pub fn of<T>(task: impl FnOnce() -> T) -> Duration {
    let began = taken();
    let made = std::hint::black_box(task());
    let took = taken().saturating_sub(began);
    drop(made);
    took
}

/// Criterion's clock.
pub struct Cpu(WallTime);

/// Criterion on that clock, with what the command line says.
pub fn criterion() -> Criterion<Cpu> {
    Criterion::default()
        .with_measurement(Cpu(WallTime))
        .sample_size(20)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args()
}

/// Whether the command line asks for measurements, not for a look at what there is.
pub fn is_measuring() -> bool {
    std::env::args().any(|word| word == "--bench")
}

impl Measurement for Cpu {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        taken()
    }

    fn end(&self, began: Duration) -> Duration {
        taken().saturating_sub(began)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        self.0.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}
