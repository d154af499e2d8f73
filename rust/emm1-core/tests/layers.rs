//! The modules of the crate have an order, and each uses only those before it: there are no circles of imports.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up.
const LAYERS: [&str; 13] = [
    "error", "lock", "parallel", "identity", "shape", "kernel", "rotation", "score", "matrix", "codes", "bound",
    "file", "search",
];

/// The Rust files below a folder, except for tests: they may use anything.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| !path.ends_with("tests.rs") && !path.ends_with("hostile.rs")).collect()
}

#[test]
fn no_module_uses_a_later_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&src) {
        let place = path.strip_prefix(&src).unwrap().with_extension("");
        let module = place.iter().next().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        if module == "lib" {
            let declared = text.lines().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
            declared.for_each(|name| assert!(LAYERS.contains(&name), "`{name}` is not in the list of layers"));
            continue;
        }
        let layer = LAYERS.iter().position(|name| *name == module).expect("lib.rs declares every module");
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let depth = place.iter().filter(|part| *part != "mod").count();
        assert!(!product.contains(&"super::".repeat(depth)), "{}: write crate:: for the root", place.display());
        for used in product.split("crate::").skip(1) {
            let used = used.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap();
            assert!(LAYERS[..=layer].contains(&used), "{}: `{module}` uses `{used}`, a later layer", place.display());
        }
    }
}
