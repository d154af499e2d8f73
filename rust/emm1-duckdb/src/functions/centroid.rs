//! `emm1_centroid(file, id)`: the mean of the vectors of a group, also over windows; `emm1_centroid_of(file, ids)`: that
//! of a list of ids, in every DuckDB. Ids that the file does not have are left out; NULL where none is left.

use std::ffi::CStr;

use emm1_core::{EmbeddingFile, Error, Result};

use super::INTEGERS;
use crate::ffi::aggregate::Aggregate;
use crate::ffi::input::Input;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::Kind;
use crate::files::{self, Files};
use crate::settings::Settings;

/// `emm1_centroid`.
pub(crate) struct Centroid;

/// The ids of a group. They are kept until the end, since the sum follows the order of rows, whatever that of arrival.
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
        self.ids.extend_from_slice(ids);
        Ok(())
    }
}

impl Aggregate for Centroid {
    const NAME: &'static CStr = c"emm1_centroid";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar, Kind::BigInt];
    type Output = Vec<f32>;
    type State = Group;
    type Item<'a> = (&'a str, i64);

    fn unsafe_before_2(version: &str) -> String {
        format!("emm1_centroid needs DuckDB 2.0, this is {version}: write emm1_centroid_of(file, list(id)) instead")
    }

    fn items<'a>(input: &Input<'a>) -> Vec<Option<(&'a str, i64)>> {
        input.texts(0).into_iter().zip(input.integers(1)).map(|(path, id)| Some((path?, id?))).collect()
    }

    fn add(group: &mut Group, (path, id): (&str, i64)) -> Result<()> {
        group.extend(path, &[id])
    }

    fn merge(group: &mut Group, other: &Group) -> Result<()> {
        if other.ids.is_empty() { Ok(()) } else { group.extend(&other.path, &other.ids) }
    }

    fn finish(settings: &Settings, group: &Group) -> Result<Option<Vec<f32>>> {
        if group.ids.is_empty() { Ok(None) } else { mean(&*files::open(settings, &group.path)?, &group.ids) }
    }
}

/// `emm1_centroid_of`.
pub(crate) struct CentroidOf;

impl Scalar for CentroidOf {
    const NAME: &'static CStr = c"emm1_centroid_of";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar, INTEGERS];
    type Output = Vec<f32>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Vec<Option<Vec<f32>>>> {
        let (paths, lists) = (input.texts(0), input.lists(1));
        let mut files = Files::new(settings);
        let rows = paths.into_iter().zip(&lists.entries);
        rows.map(|(path, list)| match (path, list) {
            (Some(path), Some(list)) => mean(&*files.get(path)?, &lists.integers(list.clone())),
            _ => Ok(None),
        })
        .collect()
    }
}

fn mean(file: &EmbeddingFile, ids: &[i64]) -> Result<Option<Vec<f32>>> {
    let known: Vec<i64> = ids.iter().copied().filter(|&id| file.ids().row(id).is_some()).collect();
    if known.is_empty() { Ok(None) } else { file.centroid(&known).map(Some) }
}
