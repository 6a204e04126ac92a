//! One block of memory for a session, and where in it (or outside of it) each value lies.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// Cache lines and the widest vectors are this long.
pub const LINE: usize = 64;

/// A block of bytes that begins at a cache line.
pub struct Memory {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: the block is owned like a `Vec<u8>`; nothing else refers to it but through a session's borrow.
unsafe impl Send for Memory {}
// SAFETY: shared references give out no access to the bytes but through raw pointers.
unsafe impl Sync for Memory {}

impl Memory {
    /// A zeroed block of `bytes`.
    pub fn new(bytes: usize) -> Memory {
        let layout = Layout::from_size_align(bytes.max(LINE), LINE).expect("a plan fits the address space");
        // SAFETY: the layout has at least one line of bytes.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Memory { start, layout }
    }

    /// The first byte.
    pub fn start(&self) -> *mut u8 {
        self.start
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `start` was allocated with this layout and is freed once.
        unsafe { dealloc(self.start, self.layout) };
    }
}

/// Where a value lies: a number of bytes after one of a session's base addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which base: see [`Bases`].
    pub base: u32,
    /// Bytes after it.
    pub offset: usize,
}

/// The number of the session's own memory among the base addresses.
pub const ARENA: u32 = 0;
/// The number of the program's constants.
pub const CONSTANTS: u32 = 1;
/// The number of the first input; captured constants and variables follow.
pub const FIRST_SLOT: u32 = 2;

/// The base addresses of one run.
#[derive(Clone, Copy)]
pub struct Bases<'a>(pub &'a [*mut u8]);

// SAFETY: the addresses are those of one run, whose steps write disjoint ranges: the plan gives every value its own
// bytes, and a step's chunks write disjoint parts of its value.
unsafe impl Send for Bases<'_> {}
// SAFETY: as above.
unsafe impl Sync for Bases<'_> {}

impl Bases<'_> {
    /// The address of a place.
    #[inline]
    pub fn at(&self, place: Place) -> *mut u8 {
        self.0[place.base as usize].wrapping_add(place.offset)
    }
}
