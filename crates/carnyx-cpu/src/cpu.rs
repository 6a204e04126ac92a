//! The executor: a team of threads, an instruction set, and the programs compiled so far.

use crate::isa::Isa;
use crate::limits;
use crate::lower::lower;
use crate::program::CpuProgram;
use crate::recorder::Recorder;
use crate::reference;
use crate::threads::Team;
use carnyx_graph::executor::{Bindings, Executor, Program};
use carnyx_graph::trace::{Limits, Tracer};
use carnyx_graph::{Graph, Result, passes};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Programs that an executor remembers; the one that was asked for longest ago goes first.
const REMEMBERED: usize = 64;

/// Runs graphs on the processor's cores.
///
/// # Example
/// ```
/// use carnyx_cpu::Cpu;
/// use carnyx_graph::{Array, Bindings, Executor, Graph, Tensor};
/// let x = Tensor::from(&Array::from_fn([32], |i| i as f32));
/// let graph = Graph::capture(&[(x * 2.0).sum()], &[])?;
/// let mut session = Cpu::new(2).compile(&graph)?.session();
/// session.run(&Bindings { inputs: &[], captured: &graph.captured, variables: &[], seed: 0, step: 0 })?;
/// assert_eq!(session.number(0), 992.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Cpu {
    team: Arc<Team>,
    isa: Isa,
    recorder: Arc<Recorder>,
    /// The same, as others see it.
    tracer: Arc<dyn Tracer>,
    limits: OnceLock<Option<Limits>>,
    programs: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    by_key: HashMap<u128, (u64, Arc<CpuProgram>)>,
    clock: u64,
}

impl Cpu {
    /// An executor with a team of `threads`, the calling thread included.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::Cpu;
    /// assert_eq!(Cpu::new(2).threads(), 2);
    /// ```
    pub fn new(threads: usize) -> Cpu {
        Cpu::with_isa(threads, Isa::detect())
    }

    /// The same with another instruction set than the best one: for tests and comparisons.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::{Cpu, isa::Isa};
    /// # use carnyx_graph::{Array, Bindings, Executor, Graph, Tensor};
    /// let x = Tensor::from(Array::from_fn([32], |i| i as f32));
    /// let graph = Graph::capture(&[x.sum()], &[])?;
    /// let bindings = Bindings { inputs: &[], captured: &graph.captured, variables: &[], seed: 0, step: 0 };
    /// for isa in Isa::available() {
    ///     let mut session = Cpu::with_isa(1, isa).compile(&graph)?.session();
    ///     session.run(&bindings)?;
    ///     assert_eq!(session.number(0), 496.0);
    /// }
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn with_isa(threads: usize, isa: Isa) -> Cpu {
        let team = Arc::new(Team::new(threads));
        let recorder = Arc::new(Recorder::new(team.threads()));
        let (tracer, limits, programs) = (recorder.clone(), OnceLock::new(), Mutex::default());
        Cpu { team, isa, recorder, tracer, limits, programs }
    }

    /// The process's executor, with a thread for each core: two of them would fight for the cores.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::Cpu;
    /// assert!(std::ptr::eq(Cpu::shared(), Cpu::shared()));
    /// ```
    pub fn shared() -> &'static Cpu {
        // Which threads run a program changes none of its results.
        static SHARED: OnceLock<Cpu> = OnceLock::new();
        SHARED.get_or_init(|| Cpu::new(Team::available()))
    }

    pub(crate) fn team(&self) -> &Arc<Team> {
        &self.team
    }

    pub(crate) fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// The number of threads, the calling one included.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::Cpu;
    /// assert!(Cpu::shared().threads() >= 1);
    /// ```
    pub fn threads(&self) -> usize {
        self.team.threads()
    }
}

impl Executor for Cpu {
    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>> {
        let key = graph.key();
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.clock += 1;
        let clock = programs.clock;
        if let Some((used, program)) = programs.by_key.get_mut(&key) {
            *used = clock;
            return Ok(program.clone());
        }
        let program = Arc::new(lower(self, &passes::optimize(graph)));
        if programs.by_key.len() >= REMEMBERED {
            let oldest = programs.by_key.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            oldest.map(|key| programs.by_key.remove(&key));
        }
        programs.by_key.insert(key, (clock, program.clone()));
        Ok(program)
    }

    fn first_non_finite(&self, graph: &Graph, bindings: &Bindings) -> Result<Option<usize>> {
        reference::first_non_finite(graph, bindings)
    }

    fn tracer(&self) -> Option<&Arc<dyn Tracer>> {
        Some(&self.tracer)
    }

    fn limits(&self) -> Option<Limits> {
        // The graphs are the executor's own: that they cannot be measured would be told by every other graph too.
        *self.limits.get_or_init(|| limits::measure(self).ok())
    }
}
