//! The clock of recordings: the only one that the executor reads between tasks, and only while one records.
//!
//! On x86-64 the processor's own counter, which takes 11 ns to read, while the system's clock takes 28 (EPYC, a virtual
//! machine, November 2026): a task of a small network takes 300. It is set against the system's clock once, when a
//! recording ends. Elsewhere, and where the counter may change its pace,
//! the system's clock itself.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a recording must last for its end to tell how long a tick is: reading both clocks is out by some 50 ns.
const LONG_ENOUGH: Duration = Duration::from_millis(1);

/// Counts ticks.
pub struct Clock {
    origin: Instant,
    /// Ticks are those of the processor's counter.
    has_counter: AtomicBool,
}

impl Clock {
    pub fn new() -> Clock {
        Clock { origin: Instant::now(), has_counter: AtomicBool::new(false) }
    }

    /// Finds out which clock there is; ticks from before are no longer comparable. Asking the processor takes
    /// microseconds on virtual machines, so an executor that never records does not.
    pub fn start(&self) -> Start {
        self.has_counter.store(has_steady_counter(), Relaxed);
        Start { at: Instant::now(), ticks: self.now() }
    }

    /// The number of ticks since some moment.
    #[inline]
    pub fn now(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        if self.has_counter.load(Relaxed) {
            // SAFETY: every x86-64 processor has the counter.
            return unsafe { core::arch::x86_64::_rdtsc() };
        }
        self.origin.elapsed().as_nanos() as u64
    }

    /// What ticks since `start` are in nanoseconds; waits until that can be told.
    pub fn scale(&self, start: Start) -> Scale {
        while start.at.elapsed() < LONG_ENOUGH {
            std::hint::spin_loop();
        }
        let (ticks, elapsed) = (self.now().saturating_sub(start.ticks), start.at.elapsed());
        Scale { first: start.ticks, nanoseconds: elapsed.as_nanos() as f64 / ticks.max(1) as f64 }
    }
}

/// A moment by both clocks.
#[derive(Clone, Copy)]
pub struct Start {
    at: Instant,
    ticks: u64,
}

/// How ticks become nanoseconds since the start.
#[derive(Clone, Copy)]
pub struct Scale {
    first: u64,
    nanoseconds: f64,
}

impl Scale {
    pub fn of(self, ticks: u64) -> u64 {
        (ticks.saturating_sub(self.first) as f64 * self.nanoseconds) as u64
    }
}

/// Whether the processor's counter runs at one pace on all cores, asleep or not ("invariant TSC").
#[cfg(target_arch = "x86_64")]
fn has_steady_counter() -> bool {
    const POWER_MANAGEMENT: u32 = 0x8000_0007;
    // Newer compilers call `cpuid` safe.
    #[allow(unused_unsafe)]
    // SAFETY: every x86-64 processor answers `cpuid`; leaves that it may not know are asked for first.
    unsafe {
        core::arch::x86_64::__cpuid(0x8000_0000).eax >= POWER_MANAGEMENT
            && core::arch::x86_64::__cpuid(POWER_MANAGEMENT).edx & 1 << 8 != 0
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn has_steady_counter() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_nanoseconds() {
        let clock = Clock::new();
        let start = clock.start();
        let (first, began) = (clock.now(), Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let (last, took) = (clock.now(), began.elapsed());
        let scale = clock.scale(start);
        let (measured, real) = ((scale.of(last) - scale.of(first)) as f64, took.as_nanos() as f64);
        // A thread that loses its core between two readings is late by milliseconds, never early.
        assert!(measured <= real * 1.01 && measured > 18e6, "{measured} ns, not {real}");
        assert_eq!(scale.of(start.ticks), 0);
    }
}
