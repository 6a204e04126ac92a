//! What a run leaves behind while somebody records: when each thread was at which task.
//!
//! Each session has [`Stamps`], a table of moments that the run writes while it works: a row for each thread, so that
//! none waits for another's cache line, and nothing but relaxed stores. When the run has ended, the [`Recorder`] copies
//! the moments into its recording. Invariants: a run that nobody records reads one flag; a run that is recorded takes
//! one lock, at its end, and allocates only when the recording needs more room.

use crate::clock::{Clock, Start};
use carnyx_graph::trace::{Mark, TaskFacts, TaskSpan, Trace, TracedRun, Tracer};
use carnyx_graph::{Error, Result};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Spans and marks that a recording has room for at its beginning; the memory is not touched before it is needed.
const ROOM: usize = 1 << 16;

/// Sees the tasks of a run begin and end, or does not look.
pub trait Watch: Sync {
    /// The calling thread does the whole task.
    fn alone(&self, task: usize, work: impl FnOnce());
    /// A thread does a part of it.
    fn part(&self, task: usize, worker: usize, work: impl FnOnce());
    /// All parts are done.
    fn joined(&self, task: usize);
}

/// Looks at nothing.
pub struct Nobody;

impl Watch for Nobody {
    #[inline(always)]
    fn alone(&self, _: usize, work: impl FnOnce()) {
        work();
    }

    #[inline(always)]
    fn part(&self, _: usize, _: usize, work: impl FnOnce()) {
        work();
    }

    #[inline(always)]
    fn joined(&self, _: usize) {}
}

/// Words between the rows of two threads: two cache lines, since processors fetch them in pairs.
const GAP: usize = 16;

/// The moments of one run: for each thread and task a beginning and an end, 0 where the thread had no part in it.
pub struct Stamps {
    recorder: Arc<Recorder>,
    threads: usize,
    tasks: usize,
    row: usize,
    /// Rows of the threads, then one of the moments at which all parts of a task were done.
    words: Vec<AtomicU64>,
    begin: AtomicU64,
    /// The last moment of the calling thread: where one task ends, the next one begins.
    last: AtomicU64,
}

impl Stamps {
    pub fn new(recorder: &Arc<Recorder>, threads: usize, tasks: usize) -> Stamps {
        let row = 2 * tasks + GAP;
        let words = (0..(threads + 1) * row).map(|_| AtomicU64::new(0)).collect();
        let (begin, last) = (AtomicU64::new(0), AtomicU64::new(0));
        Stamps { recorder: recorder.clone(), threads, tasks, row, words, begin, last }
    }

    /// A run begins.
    pub fn start(&self) {
        let now = self.recorder.clock.now();
        self.begin.store(now, Relaxed);
        self.last.store(now, Relaxed);
    }

    fn at(&self, row: usize, task: usize) -> &[AtomicU64] {
        let first = row * self.row + 2 * task;
        &self.words[first..first + 2]
    }

    /// Hands the moments over to `keep` and forgets them.
    fn take(&self, mut keep: impl FnMut(TaskSpan)) {
        for task in 0..self.tasks {
            let joined = self.at(self.threads, task)[0].load(Relaxed);
            for thread in 0..self.threads {
                let [begin, end] = [0, 1].map(|word| self.at(thread, task)[word].load(Relaxed));
                if begin == 0 {
                    continue;
                }
                self.at(thread, task)[0].store(0, Relaxed);
                keep(TaskSpan { task, thread, is_wait: false, begin, end });
                if thread == 0 && joined > end {
                    keep(TaskSpan { task, thread, is_wait: true, begin: end, end: joined });
                }
            }
            self.at(self.threads, task)[0].store(0, Relaxed);
        }
    }
}

impl Watch for Stamps {
    #[inline]
    fn alone(&self, task: usize, work: impl FnOnce()) {
        work();
        let now = self.recorder.clock.now();
        let [begin, end] = self.at(0, task) else { return };
        begin.store(self.last.load(Relaxed), Relaxed);
        end.store(now, Relaxed);
        self.last.store(now, Relaxed);
    }

    #[inline]
    fn part(&self, task: usize, worker: usize, work: impl FnOnce()) {
        let [begin, end] = self.at(worker, task) else { return };
        if begin.load(Relaxed) == 0 {
            begin.store(self.recorder.clock.now(), Relaxed);
        }
        work();
        end.store(self.recorder.clock.now(), Relaxed);
    }

    #[inline]
    fn joined(&self, task: usize) {
        let now = self.recorder.clock.now();
        self.at(self.threads, task)[0].store(now, Relaxed);
        self.last.store(now, Relaxed);
    }
}

/// Where the runs of an executor are recorded.
pub struct Recorder {
    clock: Clock,
    threads: usize,
    is_on: AtomicBool,
    recording: Mutex<Option<Recording>>,
}

/// What has been recorded so far, in ticks.
struct Recording {
    owner: ThreadId,
    start: Start,
    runs: Vec<Run>,
    spans: Vec<TaskSpan>,
    marks: Vec<Mark>,
}

struct Run {
    tasks: Arc<[TaskFacts]>,
    memory: usize,
    begin: u64,
    end: u64,
    /// The number of spans up to its end.
    spans: usize,
}

impl Recorder {
    pub fn new(threads: usize) -> Recorder {
        let (is_on, recording) = (AtomicBool::new(false), Mutex::new(None));
        Recorder { clock: Clock::new(), threads, is_on, recording }
    }

    fn recording(&self) -> MutexGuard<'_, Option<Recording>> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody records: the only thing that a run asks.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Acquire)
    }

    /// Adds a run that has just ended.
    pub fn keep(&self, stamps: &Stamps, tasks: &Arc<[TaskFacts]>, memory: usize) {
        let end = stamps.last.load(Relaxed);
        let mut recording = self.recording();
        match recording.as_mut().filter(|recording| recording.owner == thread::current().id()) {
            Some(Recording { spans, runs, .. }) => {
                stamps.take(|span| spans.push(span));
                let begin = stamps.begin.load(Relaxed);
                runs.push(Run { tasks: tasks.clone(), memory, begin, end, spans: spans.len() });
            }
            None => stamps.take(|_| ()),
        }
    }
}

impl Tracer for Recorder {
    fn begin(&self) -> Result {
        let mut recording = self.recording();
        if recording.is_some() {
            return Err(Error::new("profile", "a profile is being recorded already")
                .label("there is one clock and one recording for each executor")
                .help("end the other recording first, or leave one of them out"));
        }
        let (owner, start) = (thread::current().id(), self.clock.start());
        let (spans, marks) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM / 16));
        *recording = Some(Recording { owner, start, runs: Vec::with_capacity(ROOM / 16), spans, marks });
        self.is_on.store(true, Release);
        Ok(())
    }

    fn is_recording(&self) -> bool {
        self.is_on()
            && self.recording().as_ref().is_some_and(|recording| recording.owner == thread::current().id())
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn mark(&self, mark: Mark) {
        if let Some(recording) = &mut *self.recording()
            && recording.owner == thread::current().id()
        {
            recording.marks.push(mark);
        }
    }

    fn end(&self) -> Option<Trace> {
        if !self.is_recording() {
            return None;
        }
        self.is_on.store(false, Release);
        let recording = self.recording().take()?;
        let scale = self.clock.scale(recording.start);
        let duration = scale.of(self.clock.now());
        let span =
            |span: &TaskSpan| TaskSpan { begin: scale.of(span.begin), end: scale.of(span.end), ..*span };
        let mut first = 0;
        let run = |run: Run| {
            let spans = recording.spans[first..run.spans].iter().map(span).collect();
            first = run.spans;
            let (begin, end) = (scale.of(run.begin), scale.of(run.end));
            TracedRun { tasks: run.tasks, memory: run.memory, begin, end, spans }
        };
        let runs = recording.runs.into_iter().map(run).collect();
        let mark = |mark: Mark| Mark { begin: scale.of(mark.begin), end: scale.of(mark.end), ..mark };
        let marks = recording.marks.into_iter().map(mark).collect();
        Some(Trace { threads: self.threads, duration, runs, marks })
    }
}

#[cfg(test)]
mod tests {
    use crate::Cpu;
    use carnyx_graph::trace::{BINDING, INPUT, Mark, TaskSpan, Trace};
    use carnyx_graph::{Array, Bindings, DType, Executor, Facts, Feed, Graph, Mode, Tensor};
    use std::thread;

    /// Two products, large enough for two threads, of gathered rows.
    fn graph() -> Graph {
        let x = Tensor::placeholder("x", Facts::new([64, 256], DType::F32), Mode::Inference);
        let kernel = Tensor::from(Array::full([256, 256], 0.01f32));
        Graph::capture(&[x.matmul(&kernel).relu().matmul(&kernel).sum()], &[]).unwrap()
    }

    /// The recording of some runs, each within a mark.
    fn traced(cpu: &Cpu, runs: usize) -> Trace {
        let graph = graph();
        let mut session = cpu.compile(&graph).unwrap().session();
        session.describe(&graph);
        let (data, rows) = (Array::full([100, 256], 1f32), (0..64).collect::<Vec<u32>>());
        let inputs = [Feed::Rows(&data, &rows)];
        let bindings =
            Bindings { inputs: &inputs, captured: &graph.captured, variables: &[], seed: 0, step: 0 };
        let tracer = cpu.tracer().unwrap();
        tracer.begin().unwrap();
        for number in 0..runs {
            let begin = tracer.now();
            session.run(&bindings).unwrap();
            tracer.mark(Mark { number, begin, end: tracer.now(), ..Mark::of("run") });
        }
        tracer.end().unwrap()
    }

    #[test]
    fn spans_of_a_thread_follow_one_another_within_their_run() {
        for threads in [1, 2, 3] {
            let trace = traced(&Cpu::new(threads), 20);
            assert_eq!((trace.threads, trace.runs.len(), trace.marks.len()), (threads, 20, 20));
            for (run, mark) in trace.runs.iter().zip(&trace.marks) {
                assert!(mark.begin <= run.begin && run.end <= mark.end && mark.end <= trace.duration);
                for thread in 0..threads {
                    let mut spans: Vec<&TaskSpan> =
                        run.spans.iter().filter(|span| span.thread == thread).collect();
                    spans.sort_by_key(|span| span.begin);
                    let mut last = run.begin;
                    for span in spans {
                        assert!(last <= span.begin && span.begin <= span.end, "{span:?} after {last}");
                        last = span.end;
                    }
                    assert!(last <= run.end);
                }
                // The calling thread has a part in every task.
                let own = |task| run.spans.iter().any(|span| span.task == task && span.thread == 0);
                assert!((0..run.tasks.len()).all(own));
            }
        }
    }

    #[test]
    fn tasks_say_how_much_they_compute() {
        let trace = traced(&Cpu::new(2), 1);
        let tasks = &trace.runs[0].tasks;
        let products = tasks.iter().filter(|task| &*task.operation == "dot");
        assert_eq!(products.map(|task| task.flops).sum::<u64>(), 2 * 2 * 64 * 256 * 256 + 64 * 256);
        let gather = tasks.iter().find(|task| task.purpose == Some(INPUT)).unwrap();
        assert_eq!((&*gather.name, gather.bytes), ("gather x", 2 * 64 * 256 * 4));
        assert_eq!(tasks.last().unwrap().purpose, Some(BINDING));
    }

    #[test]
    fn one_recording_at_a_time_and_on_one_thread() {
        let cpu = Cpu::new(1);
        let tracer = cpu.tracer().unwrap();
        assert!(tracer.end().is_none());
        tracer.begin().unwrap();
        assert_eq!(tracer.begin().unwrap_err().code(), "profile");
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(!tracer.is_recording() && tracer.end().is_none());
                tracer.mark(Mark::of("elsewhere"));
            });
        });
        assert!(tracer.is_recording());
        assert!(tracer.end().unwrap().marks.is_empty());
        assert!(!tracer.is_recording());
    }

    #[test]
    fn a_session_that_nobody_describes_has_names_too() {
        let cpu = Cpu::new(1);
        let graph = Graph::capture(&[Tensor::from(Array::full([32], 1f32)).exp()], &[]).unwrap();
        let mut session = cpu.compile(&graph).unwrap().session();
        cpu.tracer().unwrap().begin().unwrap();
        let bindings = Bindings { inputs: &[], captured: &graph.captured, variables: &[], seed: 0, step: 0 };
        session.run(&bindings).unwrap();
        let trace = cpu.tracer().unwrap().end().unwrap();
        let names: Vec<&str> = trace.runs[0].tasks.iter().map(|task| &*task.name).collect();
        assert_eq!(names, ["element-wise", "bind"]);
    }
}
