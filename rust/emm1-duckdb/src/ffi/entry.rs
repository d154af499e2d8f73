//! The entry point: DuckDB calls it once for each database that loads the extension.

use std::ffi::CStr;

use emm1_core::{Error, Result};

use super::catalog::Catalog;
use super::table::{Access, Context, ExtensionInfo, Stable};
use super::{API, Api, api, at_least, check, guard};
use crate::functions;

/// The first DuckDB whose stable API has the functions of [`Context`].
const CONTEXT_SINCE: [u32; 3] = [1, 5, 6];

/// Registers every function of emm1.
///
/// # Safety
/// DuckDB calls this with the arguments that its API v1.2.0 describes.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn emm1_init_c_api(info: *mut ExtensionInfo, access: *const Access) -> bool {
    // SAFETY: DuckDB passes a table that lives until this returns.
    let access = unsafe { &*access };
    // SAFETY: the arguments are DuckDB's.
    let loaded = guard(|| unsafe { load(info, access) });
    if let Err(error) = &loaded {
        // SAFETY: DuckDB copies the text.
        unsafe { (access.set_error)(info, error.as_ptr()) }
    }
    loaded.is_ok()
}

/// # Safety
/// The arguments are those that DuckDB passes to the entry point.
unsafe fn load(info: *mut ExtensionInfo, access: &Access) -> Result<()> {
    // SAFETY: DuckDB's functions are called with what DuckDB passed, and the connection is closed once.
    unsafe {
        fetch_api(info, access)?;
        let database = (access.get_database)(info);
        if database.is_null() {
            return Err(Error::Request("DuckDB names no database to load emm1 into".into()));
        }
        let mut connection = std::ptr::null_mut();
        check((api().connect)(*database, &mut connection), "a connection")?;
        let registered = Catalog::new(connection).and_then(|catalog| functions::register(&catalog));
        (api().disconnect)(&mut connection);
        registered
    }
}

/// # Safety
/// The arguments are those that DuckDB passes to the entry point.
unsafe fn fetch_api(info: *mut ExtensionInfo, access: &Access) -> Result<()> {
    let missing = || Error::Request("emm1 needs DuckDB 1.2 or newer".into());
    // SAFETY: the table that DuckDB returns for a version contains at least the functions of that version.
    let found = unsafe {
        let slots = (access.get_api)(info, c"v1.2.0".as_ptr());
        let stable = Stable::read(slots.as_ref().map(|_| slots).ok_or_else(missing)?);
        let version = CStr::from_ptr((stable.library_version)()).to_string_lossy().into_owned();
        let newer = at_least(&version, CONTEXT_SINCE).then(|| (access.get_api)(info, c"v1.5.6".as_ptr()));
        let context = newer.filter(|slots| !slots.is_null()).map(|slots| Context::read(slots));
        Api { stable, context, version }
    };
    let connect = found.stable.connect;
    if std::ptr::fn_addr_eq(API.get_or_init(|| found).stable.connect, connect) {
        return Ok(());
    }
    Err(Error::Request("another copy of DuckDB has loaded emm1 in this process already: use one of them only".into()))
}
