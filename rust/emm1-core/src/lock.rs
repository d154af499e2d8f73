//! A lock for what a process remembers, which also works in a process forked from it.
//!
//! A fork has only the thread that called it. If another thread held a mutex at that moment, nobody would ever release it
//! in the fork. So each process has a mutex of its own, and a fork begins with the state from before the first use.

use std::process;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// State behind a mutex for each process.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    initial: T,
    /// The first process that uses the lock, and its state.
    first: OnceLock<(u32, Mutex<T>)>,
    /// What the processes use that were forked from it.
    forks: OnceLock<Box<Lock<T>>>,
}

impl<T: Clone> Lock<T> {
    pub(crate) const fn new(initial: T) -> Self {
        Self { initial, first: OnceLock::new(), forks: OnceLock::new() }
    }

    /// Waits for the other threads of this process. State that a panic left behind is used: it is only a memory.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let mine = process::id();
        let (process, state) = self.first.get_or_init(|| (mine, Mutex::new(self.initial.clone())));
        if *process == mine {
            return state.lock().unwrap_or_else(PoisonError::into_inner);
        }
        self.forks.get_or_init(|| Box::new(Self::new(self.initial.clone()))).lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_does_not_wait_for_threads_that_it_does_not_have() {
        let other = process::id() + 1;
        let lock = Lock { initial: 1, first: OnceLock::from((other, Mutex::new(2))), forks: OnceLock::new() };
        let (_, state) = lock.first.get().unwrap();
        let held = state.lock().unwrap();
        assert_eq!(*lock.lock(), 1);
        *lock.lock() = 3;
        assert_eq!((*lock.lock(), *held), (3, 2));
    }
}
