//! From the path of a URL to a file that may be served.

use std::io;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// The file that `url_path`, without the leading slash, names below `root`; `None` when there is
/// none that may be served.
///
/// `root` must be canonical. What decides is the canonical path: a link may point anywhere inside
/// `root` and nowhere else.
pub(super) async fn servable(root: &Path, url_path: &str) -> io::Result<Option<PathBuf>> {
    let Some(relative) = relative_path(url_path) else {
        return Ok(None);
    };
    let path = match tokio::fs::canonicalize(root.join(relative)).await {
        Ok(path) => path,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_inside = path.starts_with(root);
    // Only plain files: opening a FIFO would wait for its writer.
    let is_file = is_inside && tokio::fs::metadata(&path).await?.is_file();
    Ok(is_file.then_some(path))
}

/// A path of plain names, each decoded once (D-11). Names that begin with a dot are not served:
/// they are steps upwards, or files that were not meant for others.
fn relative_path(url_path: &str) -> Option<PathBuf> {
    url_path.split('/').map(plain_name).collect()
}

fn plain_name(segment: &str) -> Option<String> {
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    let is_plain = !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | ':'));
    is_plain.then(|| name.into_owned())
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_are_decoded_once() {
        assert_eq!(
            relative_path("dist/a%20b.js"),
            Some(PathBuf::from("dist/a b.js"))
        );
        assert_eq!(
            relative_path("dist/a%2541.js"),
            Some(PathBuf::from("dist/a%41.js"))
        );
    }

    /// D-11
    #[test]
    fn steps_upwards_and_hidden_names_are_no_paths() {
        for path in [
            "../secret",
            "a/../../secret",
            "%2e%2e/secret",
            "..%2fsecret",
            ".%2e/secret",
            "a/..%5csecret",
            "..\\secret",
            "/etc/passwd",
            "//etc/passwd",
            "C:/secret",
            ".git/config",
            "a/.env",
            "%00",
            "a%0a",
            "a%ff",
            "",
            "a/",
            "a//b",
            ".",
        ] {
            assert_eq!(relative_path(path), None, "{path}");
        }
    }

    proptest! {
        /// D-11
        #[test]
        fn no_path_leaves_the_root(path in "(\\.|%2[ef]|%5c|/|\\\\|a|%25){0,12}") {
            if let Some(relative) = relative_path(&path) {
                let mut steps = relative.components();
                prop_assert!(steps.all(|step| matches!(step, std::path::Component::Normal(_))));
            }
        }
    }
}
