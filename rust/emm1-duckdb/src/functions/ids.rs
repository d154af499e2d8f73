//! `emm1_ids(file)`: the ids of a file, in the order of its rows.

use std::ffi::CStr;

use emm1_core::Result;

use crate::ffi::input::Input;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::Kind;
use crate::files;
use crate::settings::Settings;

/// `emm1_ids`.
pub(crate) struct Ids;

impl Scalar for Ids {
    const NAME: &'static CStr = c"emm1_ids";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar];
    type Output = Vec<i64>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Vec<Option<Vec<i64>>>> {
        let list = |path: &str| {
            let file = files::open(settings, path)?;
            Ok((0..file.ids().len()).map(|row| file.ids().id(row)).collect())
        };
        input.texts(0).into_iter().map(|path| path.map(list).transpose()).collect()
    }
}
