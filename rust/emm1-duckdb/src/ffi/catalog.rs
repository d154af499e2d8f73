//! The catalog of a database, where functions are registered.

use std::sync::Arc;

use emm1_core::Result;

use super::aggregate::{self, Aggregate};
use super::scalar::{self, Scalar};
use super::settings;
use super::table::Connection;
use super::table_function::{self, Table};
use crate::settings::Settings;

/// The catalog of a database that loads the extension.
pub(crate) struct Catalog {
    connection: *mut Connection,
    settings: Arc<Settings>,
}

impl Catalog {
    /// # Safety
    /// `connection` is open until this is dropped.
    pub(super) unsafe fn new(connection: *mut Connection) -> Result<Self> {
        // SAFETY: by this function's own condition.
        let settings = Arc::new(unsafe { settings::read(connection) }?);
        Ok(Self { connection, settings })
    }

    /// Registers a scalar function.
    pub(crate) fn scalar<F: Scalar>(&self) -> Result<()> {
        // SAFETY: `new` vouches for the connection.
        unsafe { scalar::register::<F>(self.connection, &self.settings) }
    }

    /// Registers an aggregate function.
    pub(crate) fn aggregate<F: Aggregate>(&self) -> Result<()> {
        // SAFETY: `new` vouches for the connection.
        unsafe { aggregate::register::<F>(self.connection, &self.settings) }
    }

    /// Registers a table function.
    pub(crate) fn table<F: Table>(&self) -> Result<()> {
        // SAFETY: `new` vouches for the connection.
        unsafe { table_function::register::<F>(self.connection, &self.settings) }
    }
}
