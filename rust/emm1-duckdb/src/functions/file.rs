//! `emm1_file(file) -> STRUCT(path VARCHAR, ids_path VARCHAR, rows BIGINT, dims BIGINT, dtype VARCHAR)`: a
//! description of an embedding file.

use std::ffi::CStr;

use emm1_core::{Location, Result};

use crate::cache::open;
use crate::ffi::input::Input;
use crate::ffi::output::{Answers, sql_struct};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// The description; without a file of ids, the row numbers are the ids.
pub(crate) struct Facts {
    path: String,
    ids_path: Option<String>,
    rows: i64,
    dims: i64,
    dtype: String,
}
sql_struct!(Facts { 0 path: String, 1 ids_path: Option<String>, 2 rows: i64, 3 dims: i64, 4 dtype: String });

/// `emm1_file`.
pub(crate) struct File;

impl Scalar for File {
    const NAME: &'static CStr = c"emm1_file";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar];
    type Output = Facts;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Facts>> {
        input.texts(0).into_iter().map(|path| path.map(|path| facts(settings, path)).transpose()).collect()
    }
}

fn facts(settings: &Settings, argument: &str) -> Result<Facts> {
    let file = open(settings, argument)?;
    let matrix = file.matrix();
    Ok(Facts {
        path: Location::parse(argument)?.path.to_string_lossy().into_owned(),
        ids_path: file.ids_path().map(|path| path.to_string_lossy().into_owned()),
        rows: matrix.rows() as i64,
        dims: matrix.dims() as i64,
        dtype: matrix.dtype().name().to_owned(),
    })
}
