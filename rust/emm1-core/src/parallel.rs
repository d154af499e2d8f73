//! Work in pieces on several threads, with an ear for whoever wants it stopped.

use std::sync::Mutex;
use std::thread;

use crate::error::{Error, Result};

/// Asked between pieces of work whether to stop; called on the thread that called.
pub type Stop<'a> = &'a mut dyn FnMut() -> bool;

/// Does `work` for every piece, on this thread and as many others as make `threads`.
///
/// # Errors
/// The first error of any piece, or that `stop` said so; pieces not begun are left then.
pub(crate) fn in_parallel<T: Send>(
    threads: usize,
    pieces: impl Iterator<Item = T> + Send,
    stop: Stop<'_>,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let pieces = Mutex::new(pieces.fuse());
    let next = || pieces.lock().expect("no thread panicked while it took a piece").next();
    let all = |stop: Stop<'_>| -> Result<()> {
        let mut result = Ok(());
        while let Some(piece) = next() {
            result = if stop() { Err(Error::Stopped) } else { work(piece) };
            if result.is_err() {
                while next().is_some() {} // nothing is left for the others
            }
        }
        result
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| all(&mut || false))).collect();
        let mine = all(stop);
        others.into_iter().fold(mine, |result, other| result.and(other.join().expect("work does not panic")))
    })
}
