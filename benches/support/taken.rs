//! What contenders in a race for the same blocks took.

use super::{
    cpu,
    figures::{ms, verdict},
};
use std::time::{Duration, Instant};

/// What one took.
#[derive(Clone, Copy)]
pub struct Taken {
    pub wall: Duration,
    /// Of the processor, by the client; not everybody is one.
    pub cpu: Option<Duration>,
}

impl Taken {
    pub const MOST: Self = Self {
        wall: Duration::MAX,
        cpu: None,
    };

    /// What this thread takes for some work.
    pub fn of(work: impl FnOnce()) -> Self {
        let (began, used) = (Instant::now(), cpu::taken());
        work();
        Self {
            wall: began.elapsed(),
            cpu: Some(cpu::taken().saturating_sub(used)),
        }
    }

    pub fn least(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.into_iter().chain(other.cpu).min(),
        }
    }

    pub fn over(self, blocks: u64) -> String {
        let count = u32::try_from(blocks).expect("a small number");
        let (wall, speed) = (self.wall, f64::from(count) / self.wall.as_secs_f64());
        let cpu = self.cpu.map(|cpu| ms(cpu / count));
        let cpu = cpu.map(|each| format!(", {each} of the processor a block"));
        format!("{wall:.1?}, {speed:.0} blocks/s{}", cpu.unwrap_or_default())
    }

    /// Prints how often the floor's time this is.
    pub fn judge(self, floor: Self, [most_wall, most_cpu]: [f64; 2]) {
        let wall = ratio(self.wall, floor.wall);
        let met = verdict(wall <= most_wall);
        println!("wall time: {wall:.2} times the floor's (goal: at most {most_wall}; {met})");
        let [Some(cpu), Some(least)] = [self.cpu, floor.cpu] else {
            panic!("processor times that were not measured");
        };
        let cpu = ratio(cpu, least);
        let met = verdict(cpu <= most_cpu);
        println!("processor time: {cpu:.2} times the floor's (goal: at most {most_cpu}; {met})");
    }
}

pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
