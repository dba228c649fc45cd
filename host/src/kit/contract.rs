//! The contract's WIT, as this binary speaks it: what a language's tools make their bindings from.

use std::io;
use std::path::Path;

/// The files of the newest version.
pub const FILES: &[(&str, &str)] = &[
    ("connector.wit", include_str!("../../../wit/v0.1.0/connector.wit")),
    ("http.wit", include_str!("../../../wit/v0.1.0/http.wit")),
    ("log.wit", include_str!("../../../wit/v0.1.0/log.wit")),
    ("types.wit", include_str!("../../../wit/v0.1.0/types.wit")),
    ("world.wit", include_str!("../../../wit/v0.1.0/world.wit")),
];

/// Writes the files into a folder, which is made.
///
/// # Errors
/// Of the file system.
pub fn write(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    FILES.iter().try_for_each(|(name, text)| std::fs::write(dir.join(name), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_contract_is_in_the_binary() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v0.1.0");
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
