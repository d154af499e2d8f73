//! `emm1_centroid(file, id)`: the mean of the vectors of a group, also over windows.

use std::ffi::CStr;

use emm1_core::{Error, Result};

use crate::ffi::aggregate::Aggregate;
use crate::ffi::input::Input;
use crate::ffi::types::Kind;
use crate::files;
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
        if group.ids.is_empty() {
            return Ok(None);
        }
        let file = files::open(settings, &group.path)?;
        let known: Vec<i64> = group.ids.iter().copied().filter(|&id| file.ids().row(id).is_some()).collect();
        if known.is_empty() { Ok(None) } else { file.centroid(&known).map(Some) }
    }
}
