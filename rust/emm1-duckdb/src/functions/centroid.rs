//! - `emm1_centroid(file, id) -> FLOAT[]`: the mean of the vectors of a group of ids, as an aggregate, also over
//!   windows; DuckDB 2.0 and later.
//! - `emm1_centroid_of(file, ids) -> FLOAT[]`: the mean of the vectors of a list of ids; an id listed twice counts
//!   twice. Ids that the file does not have are ignored; NULL if no id remains.

use std::ffi::CStr;

use emm1_core::{EmbeddingFile, Error, Result};

use super::{AN_ID, ID, IDS};
use crate::batches::by_key;
use crate::cache::{self, Files};
use crate::ffi::aggregate::Aggregate;
use crate::ffi::input::Input;
use crate::ffi::output::Answers;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// `emm1_centroid`.
pub(crate) struct Centroid;

/// The ids of a group. They are kept until the end, because the sum follows the order of rows, not the order of
/// arrival.
#[derive(Default)]
pub(crate) struct Group {
    path: String,
    ids: Vec<i64>,
}

impl Group {
    fn extend(&mut self, path: &str, ids: &[i64]) -> Result<()> {
        if self.ids.is_empty() {
            path.clone_into(&mut self.path);
        } else if self.path != path {
            let text = format!("emm1_centroid takes one file a group, not both {} and {path}", self.path);
            return Err(Error::Request(text));
        }
        self.ids.try_reserve(ids.len())?;
        self.ids.extend_from_slice(ids);
        Ok(())
    }
}

impl Aggregate for Centroid {
    const NAME: &'static CStr = c"emm1_centroid";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, ID];
    type Output = Vec<f32>;
    type State = Group;
    type RowInput<'a> = (&'a str, i64);

    fn unsafe_before_2(version: &str) -> String {
        format!("emm1_centroid needs DuckDB 2.0, this is {version}: write emm1_centroid_of(file, list(id)) instead")
    }

    fn row_inputs<'a>(input: &Input<'a>) -> Result<Vec<Option<(&'a str, i64)>>> {
        let rows = input.texts(0).into_iter().zip(input.integers(1, AN_ID)?);
        Ok(rows.map(|(path, id)| Some((path?, id?))).collect())
    }

    fn add(group: &mut Group, (path, id): (&str, i64)) -> Result<()> {
        group.extend(path, &[id])
    }

    fn merge(group: &mut Group, other: &Group) -> Result<()> {
        if other.ids.is_empty() { Ok(()) } else { group.extend(&other.path, &other.ids) }
    }

    fn finish(settings: &Settings, group: &Group) -> Result<Option<Vec<f32>>> {
        if group.ids.is_empty() { Ok(None) } else { mean(&*cache::open(settings, &group.path)?, &group.ids) }
    }
}

/// `emm1_centroid_of`.
pub(crate) struct CentroidOf;

impl Scalar for CentroidOf {
    const NAME: &'static CStr = c"emm1_centroid_of";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, IDS];
    type Output = Vec<f32>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Vec<f32>>> {
        let (paths, lists) = (input.texts(0), input.any_lists(1, "the ids")?);
        let mut files = Files::new(settings);
        let mut budget = settings.budget(Self::NAME);
        let mut means = Answers::nulls(input.rows());
        let keys = paths.into_iter().zip(&lists.ranges).map(|(path, list)| Some((path?, list.clone()?)));
        for ((path, list), rows) in by_key(keys) {
            let file = files.get(path)?;
            budget.take(file.matrix().dims(), size_of::<f32>())?;
            if let Some(mean) = mean(&file, &lists.integers(list, AN_ID)?)? {
                means.give(mean, rows);
            }
        }
        Ok(means)
    }
}

fn mean(file: &EmbeddingFile, ids: &[i64]) -> Result<Option<Vec<f32>>> {
    let known: Vec<i64> = ids.iter().copied().filter(|&id| file.ids().row(id).is_some()).collect();
    if known.is_empty() { Ok(None) } else { file.centroid(&known, &mut || false).map(Some) }
}
