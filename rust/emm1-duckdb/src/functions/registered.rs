//! `emm1_registered(name, known) -> STRUCT(file VARCHAR, metric VARCHAR, items VARCHAR)`: Internal: the entry of a
//! registered name, for the macros of a store, which pass all entries (`emm1_core::Registered::find`). A file of
//! another shape is an error. The same lookup in SQL would make a query take several times as long to plan.

use std::collections::HashSet;
use std::ffi::CStr;

use emm1_core::Result;

use crate::cache::open;
use crate::ffi::input::Input;
use crate::ffi::output::{Answers, sql_struct};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// The file in the form that the other functions take, the metric, and the split and modality of the items.
pub(crate) struct Entry {
    file: String,
    metric: String,
    items: String,
}
sql_struct!(Entry { 0 file: String, 1 metric: String, 2 items: String });

/// `emm1_registered`.
pub(crate) struct Registered;

impl Scalar for Registered {
    const NAME: &'static CStr = c"emm1_registered";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, SqlType::List(&SqlType::List(&SqlType::Varchar))];
    type Output = Entry;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Entry>> {
        settings.check_access()?;
        let (names, known) = (input.texts(0), input.lists(1));
        let mut checked = HashSet::new();
        let mut entry = |row: usize| {
            let all = known.ranges[row].clone().map_or(Vec::new(), |list| {
                let each = known.lists(list);
                each.ranges.iter().flatten().map(|texts| each.texts(texts.clone())).collect()
            });
            let found = emm1_core::Registered::find(names[row], &all)?;
            if found.shape.is_some() && !checked.contains(&found.argument) {
                found.check(&*open(settings, &found.argument)?)?;
                checked.insert(found.argument.clone());
            }
            Ok(Some(Entry { file: found.argument, metric: found.metric, items: found.items }))
        };
        (0..input.rows()).map(&mut entry).collect()
    }
}
