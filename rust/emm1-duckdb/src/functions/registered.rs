//! `emm1_registered(name, known)`: what a store has registered under a name, for its macros, which hand over all that is
//! registered: of each the name, the path of the store, file, file of ids, file of codes (empty for none), metric, of what
//! items it is, rows, dims and type. A file of another shape is an error (NULLs: of any shape). In SQL the same takes a query several times as long to plan.

use std::collections::HashSet;
use std::ffi::CStr;

use emm1_core::{Error, Result};

use crate::ffi::input::Input;
use crate::ffi::output::{Answers, sql_struct};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::files::open;
use crate::settings::Settings;

/// The file as the other functions take it, the metric, and of what items it is.
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
        let mut files = Shapes::default();
        let mut entry = |row: usize| {
            let all = known.ranges[row].clone().map_or(Vec::new(), |list| {
                let each = known.lists(list);
                each.ranges.iter().flatten().map(|texts| each.texts(texts.clone())).collect()
            });
            let (entry, registered) = find(names[row], &all)?;
            files.check(settings, names[row].unwrap_or_default(), &entry.file, registered)?;
            Ok(Some(entry))
        };
        (0..input.rows()).map(&mut entry).collect()
    }
}

/// Rows, dims and type that a file was registered with; None where they are not known.
type Shape<'a> = Option<[&'a str; 3]>;

/// The files of one call, each looked at once.
#[derive(Default)]
struct Shapes {
    checked: HashSet<String>,
}

impl Shapes {
    /// An error where a file is not of the shape that was registered.
    fn check(&mut self, settings: &Settings, name: &str, argument: &str, registered: Shape<'_>) -> Result<()> {
        let Some(registered) = registered.filter(|_| !self.checked.contains(argument)) else { return Ok(()) };
        let file = open(settings, argument)?;
        let matrix = file.matrix();
        let (rows, dims) = (matrix.rows().to_string(), matrix.dims().to_string());
        let now = [&*rows, &*dims, matrix.dtype().name()];
        if now != registered {
            return Err(Error::Request(format!(
                "{} holds {}, but {} were registered as '{name}': register it again with `emm1 embeddings add --replace`",
                matrix.path().display(),
                now.join(" × "),
                registered.join(" × ")
            )));
        }
        self.checked.insert(argument.to_owned());
        Ok(())
    }
}

fn find<'a>(name: Option<&str>, all: &[Vec<Option<&'a str>>]) -> Result<(Entry, Shape<'a>)> {
    for texts in all {
        let [Some(listed), Some(store), Some(file), ids, codes, Some(metric), Some(items), rows, dims, dtype] =
            texts[..]
        else {
            return Err(Error::Request(
                "the macros of this store and the extension loaded here are of different versions of emm1: run \
                 `emm1 upgrade STORE` with the newer one"
                    .into(),
            ));
        };
        if name == Some(listed) {
            let folder = folder_of(store);
            let ids = ids.map_or(String::new(), |ids| format!("?ids={}", under(folder, ids)));
            let codes = codes.map_or(String::new(), |codes| match codes {
                "" => "?codes=".into(),
                _ => format!("?codes={}", under(folder, codes)),
            });
            let file = under(folder, file) + &ids + &codes;
            let shape = if let (Some(rows), Some(dims), Some(dtype)) = (rows, dims, dtype) {
                Some([rows, dims, dtype])
            } else {
                None
            };
            return Ok((Entry { file, metric: metric.into(), items: items.into() }, shape));
        }
    }
    let mut listed: Vec<&str> = all.iter().filter_map(|texts| texts[0]).collect();
    listed.sort_unstable();
    let known =
        if listed.is_empty() { "none is registered".into() } else { format!("registered are {}", listed.join(", ")) };
    let name = name.unwrap_or("NULL");
    Err(Error::Request(format!("no embeddings are called '{name}': {known} (add some with `emm1 embeddings add`)")))
}

/// The folder of a file, with a separator at its end; of a name alone, nothing.
fn folder_of(path: &str) -> &str {
    &path[..path.rfind(['/', '\\']).map_or(0, |separator| separator + 1)]
}

/// A path that a store names: under its folder, unless it begins as an absolute path of any system does.
fn under(folder: &str, path: &str) -> String {
    let absolute =
        path.starts_with(['/', '\\']) || matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    if absolute { path.to_owned() } else { format!("{folder}{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (store, path, found) in [
            ("/data/emm1.duckdb", "image.npy", "/data/image.npy"),
            ("/data/emm1.duckdb", "in/image.npy", "/data/in/image.npy"),
            ("/data/emm1.duckdb", "/a/b.npy", "/a/b.npy"),
            ("emm1.duckdb", "image.npy", "image.npy"),
            (r"C:\data\emm1.duckdb", "image.npy", r"C:\data\image.npy"),
            (r"C:\data\emm1.duckdb", r"D:\b.npy", r"D:\b.npy"),
            (r"C:\data\emm1.duckdb", r"\\host\b.npy", r"\\host\b.npy"),
            ("/data/emm1.duckdb", "é:x.npy", "/data/é:x.npy"),
        ] {
            assert_eq!(under(folder_of(store), path), found);
        }
    }

    #[test]
    fn names() {
        let all = [("text", None, None), ("image", Some("i.ids.npy"), Some("/c")), ("plain", None, Some(""))].map(
            |(name, ids, codes)| {
                let shape = ["9", "4", "int8"].map(Some);
                [&[Some(name), Some("/s/x"), Some("i.npy"), ids, codes, Some("l2"), Some("1m image")][..], &shape]
                    .concat()
            },
        );
        let (entry, shape) = find(Some("image"), &all).unwrap();
        assert_eq!(shape, Some(["9", "4", "int8"]));
        assert_eq!(
            (&*entry.file, &*entry.metric, &*entry.items),
            ("/s/i.npy?ids=/s/i.ids.npy?codes=/c", "l2", "1m image")
        );
        assert_eq!(find(Some("text"), &all).unwrap().0.file, "/s/i.npy");
        assert_eq!(find(Some("plain"), &all).unwrap().0.file, "/s/i.npy?codes=");
        let says = |name, all| find(name, all).err().unwrap().to_string();
        assert!(
            says(Some("x"), &all).starts_with("no embeddings are called 'x': registered are image, plain, text (add")
        );
        assert!(says(None, &[]).contains("'NULL': none is registered"));
        assert!(says(Some("x"), &[vec![Some("x"), Some("x.npy")]]).contains("run `emm1 upgrade STORE`"));
    }
}
