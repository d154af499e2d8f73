//! Which files an argument names: one meaning for SQL, Python and the command line.
//!
//! An argument is `FILE`, `FILE?ids=IDS`, `FILE?codes=CODES` or `FILE?ids=IDS?codes=CODES`; an empty `?codes=` means that no
//! codes are used. A registered name is looked up in the rows of a store's table of embeddings and becomes such an argument.

use std::path::{Path, PathBuf, is_separator};

use super::{EmbeddingFile, Version};
use crate::codes::KeepVerdict;
use crate::error::{Error, Result};
use crate::matrix::{IDS, has_ids, is_of_a_format, split_tensor};
use crate::parallel::Stop;

/// The files that make up embeddings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The vectors: a file, a folder of shards, or `FILE.safetensors#NAME`.
    pub path: PathBuf,
    /// The ids; None for the file of ids beside the vectors, or else the row numbers.
    pub ids: Option<PathBuf>,
    /// The codes, whether they exist or not; None if no codes are to be used.
    pub codes: Option<PathBuf>,
}

impl Location {
    /// The files that an argument names.
    ///
    /// # Errors
    /// The name of the file is empty.
    pub fn parse(argument: &str) -> Result<Self> {
        let (file, codes) = match argument.split_once("?codes=") {
            Some((file, codes)) => (file, Some(codes)),
            None => (argument, None),
        };
        let (path, ids) = match file.split_once("?ids=") {
            Some((path, ids)) => (path, Some(ids.into())),
            None => (file, None),
        };
        if path.is_empty() {
            return Err(Error::Request("the name of the embedding file is empty".into()));
        }
        let codes = match codes {
            Some("") => None,
            Some(codes) => Some(codes.into()),
            None => Some(codes_beside(Path::new(path))),
        };
        Ok(Self { path: path.into(), ids, codes })
    }

    /// The current version of the files.
    ///
    /// # Errors
    /// Those of [`Version::of`].
    pub fn version(&self) -> Result<Version> {
        Version::of(&self.path, self.ids.as_deref(), self.codes.as_deref())
    }

    /// Opens the files.
    ///
    /// # Errors
    /// Those of [`EmbeddingFile::open`] and [`EmbeddingFile::with_codes`].
    pub fn open(&self, keep: KeepVerdict, stop: Stop<'_>) -> Result<EmbeddingFile> {
        let file = EmbeddingFile::open(&self.path, self.ids.as_deref(), stop)?;
        match &self.codes {
            Some(codes) => file.with_codes(codes, keep, stop),
            None => Ok(file),
        }
    }
}

/// The default path of the codes of an embedding file: `image.npy.codes` beside `image.npy`.
pub fn codes_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".codes");
    PathBuf::from(name)
}

/// The default path of the ids of an embedding file, if it exists: `image.ids.npy` beside `image.npy`. For a folder of
/// shards, `FOLDER.ids.npy` beside it, or the folder itself if it holds a file of ids for each shard.
pub fn ids_beside(path: &Path) -> Option<PathBuf> {
    let file = file_of(path);
    let ids = ids_place(file);
    if ids.is_file() { Some(ids) } else { (file.is_dir() && has_ids(file)).then(|| file.to_owned()) }
}

/// The default path of the one file of ids of a file or folder, whether it exists or not.
pub fn ids_place(path: &Path) -> PathBuf {
    let file = file_of(path);
    let name = if file.is_dir() { file.file_name() } else { file.file_stem() };
    let mut name = name.unwrap_or_default().to_owned();
    name.push(IDS);
    file.with_file_name(name)
}

/// The file or folder of vectors: `FILE.safetensors` of `FILE.safetensors#NAME`.
pub fn file_of(path: &Path) -> &Path {
    split_tensor(path).0
}

/// Whether a string names a file rather than registered embeddings: it has a path separator or the suffix of a format.
pub fn is_file(name_or_file: &Path) -> bool {
    name_or_file.to_string_lossy().contains(is_separator) || is_of_a_format(file_of(name_or_file))
}

/// An entry of a store's table of embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The name.
    pub name: String,
    /// The files, in the form that [`Location::parse`] reads.
    pub argument: String,
    /// The default metric.
    pub metric: String,
    /// The split and the modality of the items.
    pub items: String,
    /// Rows, dims and type; None if they are not known.
    pub shape: Option<[String; 3]>,
}

impl Registered {
    /// Finds a name among all entries of a store. Each is a row of name, path of the store, file, file of ids, file of codes
    /// (empty for none), metric, split and modality, rows, dims, type.
    ///
    /// # Errors
    /// There is no such name, or a row has another form.
    pub fn find(name: Option<&str>, all: &[Vec<Option<&str>>]) -> Result<Self> {
        for row in all {
            let [Some(listed), Some(store), Some(file), ids, codes, Some(metric), Some(items), rows, dims, dtype] =
                row[..]
            else {
                return Err(Error::Request(
                    "the macros of this store and the extension loaded here are of different versions of emm1: run \
                     `emm1 upgrade STORE` with the newer one"
                        .into(),
                ));
            };
            if name == Some(listed) {
                let place = |path: &str| under(folder_of(store), path);
                let ids = ids.map_or(String::new(), |ids| format!("?ids={}", place(ids)));
                let codes = codes.map_or(String::new(), |codes| {
                    format!("?codes={}", if codes.is_empty() { String::new() } else { place(codes) })
                });
                let shape = rows.zip(dims).zip(dtype).map(|((rows, dims), dtype)| [rows, dims, dtype].map(Into::into));
                return Ok(Self {
                    name: listed.into(),
                    argument: place(file) + &ids + &codes,
                    metric: metric.into(),
                    items: items.into(),
                    shape,
                });
            }
        }
        let mut listed: Vec<&str> = all.iter().filter_map(|row| row[0]).collect();
        listed.sort_unstable();
        let known = if listed.is_empty() {
            "none are registered in this store: register a file with `emm1 embeddings add`, or in Python with \
             `Store.add_embeddings`"
                .into()
        } else {
            format!("registered are {} (add some with `emm1 embeddings add`)", listed.join(", "))
        };
        let name = name.unwrap_or("NULL");
        Err(Error::UnknownName(format!("no embeddings are called '{name}': {known}")))
    }

    /// An error if a file does not have the shape that was registered.
    ///
    /// # Errors
    /// It does not; the message says what to do.
    pub fn check(&self, file: &EmbeddingFile) -> Result<()> {
        let matrix = file.matrix();
        let now = [matrix.rows().to_string(), matrix.dims().to_string(), matrix.dtype().name().to_owned()];
        match &self.shape {
            Some(registered) if *registered != now => Err(Error::NotAsRegistered(format!(
                "{} holds {}, but {} were registered as '{}': register it again with `emm1 embeddings add`",
                matrix.path().display(),
                now.join(" × "),
                registered.join(" × "),
                self.name,
            ))),
            _ => Ok(()),
        }
    }
}

/// The folder of a file, with the separator at its end; empty if the path is only a name.
fn folder_of(path: &str) -> &str {
    &path[..path.rfind(['/', '\\']).map_or(0, |separator| separator + 1)]
}

/// Resolves a path that a store names: relative to its folder, unless it is an absolute path of any operating system.
fn under(folder: &str, path: &str) -> String {
    let absolute =
        path.starts_with(['/', '\\']) || matches!(path.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    if absolute { path.to_owned() } else { format!("{folder}{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        for (argument, path, ids, codes) in [
            ("/x/image.npy", "/x/image.npy", None, Some("/x/image.npy.codes")),
            ("image.npy?ids=/y/a b.ids.npy", "image.npy", Some("/y/a b.ids.npy"), Some("image.npy.codes")),
            ("image.npy?codes=/z/a.codes", "image.npy", None, Some("/z/a.codes")),
            ("image.npy?ids=a.npy?codes=", "image.npy", Some("a.npy"), None),
        ] {
            let (path, ids, codes) = (path.into(), ids.map(PathBuf::from), codes.map(PathBuf::from));
            assert_eq!(Location::parse(argument).unwrap(), Location { path, ids, codes });
        }
        for none in ["", "?ids=a.npy", "?codes="] {
            assert!(matches!(Location::parse(none), Err(Error::Request(_))), "{none}");
        }
    }

    #[test]
    fn names_and_files() {
        for file in ["x.npy", "x.fbin", "x.safetensors#image", "in/x", "./x", "x.FVECS"] {
            assert!(is_file(Path::new(file)), "{file}");
        }
        for name in ["image", "image.v2", "image#2", "npy", ".npy", ""] {
            assert!(!is_file(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn places_of_ids() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("shards.v1")).unwrap();
        for (path, place) in [
            ("image.npy", "image.ids.npy"),
            ("a.safetensors#image", "a.ids.npy"),
            ("shards.v1", "shards.v1.ids.npy"),
            ("image", "image.ids.npy"),
        ] {
            assert_eq!(ids_place(&at(path)), at(place));
            assert_eq!(ids_beside(&at(path)), None);
        }
        std::fs::write(at("shards.v1/1.ids.npy"), "").unwrap();
        assert_eq!(ids_beside(&at("shards.v1")), Some(at("shards.v1")));
        std::fs::write(at("shards.v1.ids.npy"), "").unwrap();
        assert_eq!(ids_beside(&at("shards.v1")), Some(at("shards.v1.ids.npy")));
    }

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
        let found = Registered::find(Some("image"), &all).unwrap();
        assert_eq!(found.shape, Some(["9", "4", "int8"].map(Into::into)));
        assert_eq!(
            (&*found.argument, &*found.metric, &*found.items),
            ("/s/i.npy?ids=/s/i.ids.npy?codes=/c", "l2", "1m image")
        );
        assert_eq!(Registered::find(Some("text"), &all).unwrap().argument, "/s/i.npy");
        assert_eq!(Registered::find(Some("plain"), &all).unwrap().argument, "/s/i.npy?codes=");
        let says = |name, all| Registered::find(name, all).err().unwrap().to_string();
        assert!(
            says(Some("x"), &all).starts_with("no embeddings are called 'x': registered are image, plain, text (add")
        );
        assert!(says(None, &[]).contains("'NULL': none are registered in this store: register"));
        assert!(says(Some("x"), &[vec![Some("x"), Some("x.npy")]]).contains("run `emm1 upgrade STORE`"));
    }
}
