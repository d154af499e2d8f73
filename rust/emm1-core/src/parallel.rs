//! The only place that starts threads: they share the pieces of some work and can be interrupted.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder};

use crate::error::{Error, Result};

/// Called between pieces of work, on the calling thread: whether to stop.
pub type Stop<'a> = &'a mut dyn FnMut() -> bool;

/// More threads than this would only cost their start.
const MAX_THREADS: usize = 1024;

/// Runs `work` on this thread and on others, `threads` in all, but on no more threads than there are pieces. `work`
/// takes pieces until there are none left and asks before each whether to stop. If the system does not start a thread,
/// the others do its work; this thread does all of it if necessary.
///
/// # Errors
/// The first error of any thread, or `stop` returned true; the other threads finish the piece they are working on.
pub(crate) fn share(
    threads: usize,
    pieces: usize,
    stop: Stop<'_>,
    work: impl Fn(Stop<'_>) -> Result<()> + Sync,
) -> Result<()> {
    share_on(Builder::new, threads, pieces, stop, work)
}

/// Does `work` for every piece, shared like [`share`].
///
/// # Errors
/// Those of [`share`].
pub(crate) fn in_parallel<T: Send>(
    threads: usize,
    pieces: impl ExactSizeIterator<Item = T> + Send,
    stop: Stop<'_>,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let count = pieces.len();
    let pieces = Mutex::new(pieces.fuse());
    let next = || pieces.lock().expect("no thread panicked while it took a piece").next();
    share(threads, count, stop, |stop| {
        while let Some(piece) = next() {
            if stop() {
                return Err(Error::Stopped);
            }
            work(piece)?;
        }
        Ok(())
    })
}

fn share_on(
    builder: impl Fn() -> Builder,
    threads: usize,
    pieces: usize,
    stop: Stop<'_>,
    work: impl Fn(Stop<'_>) -> Result<()> + Sync,
) -> Result<()> {
    let failed = AtomicBool::new(false);
    let part = |stop: Stop<'_>| {
        let result = work(&mut || failed.load(Ordering::Relaxed) || stop());
        if result.is_err() {
            failed.store(true, Ordering::Relaxed);
        }
        result
    };
    thread::scope(|scope| {
        let starts = (1..threads.min(pieces).min(MAX_THREADS))
            .map_while(|_| builder().spawn_scoped(scope, || part(&mut || false)).ok());
        let others: Vec<_> = starts.collect();
        let mine = part(stop);
        others.into_iter().fold(mine, |result, other| {
            let theirs = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            match (&result, &theirs) {
                // Threads stop because another one failed: report its error.
                (Ok(()) | Err(Error::Stopped), Err(_)) => theirs,
                _ => result,
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::atomic::AtomicUsize;
    use std::thread::ThreadId;

    /// Takes numbers up to `count`; returns how many were taken and by which threads.
    fn take(builder: impl Fn() -> Builder, threads: usize, count: usize) -> (usize, HashSet<ThreadId>) {
        let (next, taken, by) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(HashSet::new()));
        share_on(builder, threads, count, &mut || false, |stop| {
            by.lock().unwrap().insert(thread::current().id());
            while next.fetch_add(1, Ordering::Relaxed) < count && !stop() {
                taken.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
        .unwrap();
        (taken.into_inner(), by.into_inner().unwrap())
    }

    #[test]
    fn no_more_threads_than_pieces() {
        for (threads, pieces, most) in [(1, 100, 1), (0, 100, 1), (usize::MAX, 3, 3), (usize::MAX, 0, 1)] {
            let (taken, by) = take(Builder::new, threads, pieces);
            assert_eq!((taken, by.len().min(most)), (pieces, by.len()), "{threads} threads, {pieces} pieces");
        }
    }

    #[test]
    fn without_other_threads_the_caller_does_it_all() {
        let (taken, by) = take(|| Builder::new().stack_size(1 << 60), 8, 1000); // no system has so much memory
        assert_eq!((taken, by), (1000, HashSet::from([thread::current().id()])));
    }

    #[test]
    fn the_first_error_stops_all() {
        let caller = thread::current().id();
        for fails in [true, false] {
            let (failing, done) = (AtomicBool::new(false), AtomicUsize::new(0));
            let result = in_parallel(2, 0..usize::MAX, &mut || false, |_| {
                // Either the caller fails or the other thread does.
                if (thread::current().id() == caller) == fails {
                    failing.store(true, Ordering::Relaxed);
                    return Err(Error::Request("no".into()));
                }
                while !failing.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            assert!(matches!(result, Err(Error::Request(_))));
        }
        // So many that the other thread, for which nothing stops, leaves some to the caller.
        assert!(matches!(in_parallel(2, 0..usize::MAX, &mut || true, |_| Ok(())), Err(Error::Stopped)));
    }
}
