//! `emm1_ids(file) -> BIGINT[]`: the ids of a file, in the order of its rows.

use std::ffi::CStr;

use emm1_core::Result;

use crate::batches::by_key;
use crate::cache;
use crate::ffi::input::Input;
use crate::ffi::output::{AllIds, Answers};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// `emm1_ids`.
pub(crate) struct Ids;

impl Scalar for Ids {
    const NAME: &'static CStr = c"emm1_ids";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar];
    type Output = AllIds;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<AllIds>> {
        let mut budget = settings.budget(Self::NAME);
        let mut answers = Answers::nulls(input.rows());
        for (path, rows) in by_key(input.texts(0).into_iter()) {
            let file = cache::open(settings, path)?;
            budget.take(file.ids().len(), size_of::<i64>())?;
            answers.give(AllIds(file), rows);
        }
        Ok(answers)
    }
}
