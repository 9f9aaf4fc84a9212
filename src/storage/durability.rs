//! What a store in files waits for, and folders that stay.

/// What a write waits for before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Until the disk has it: it survives the loss of power.
    #[default]
    Full,
    /// Until the operating system has it: it survives the end of this process, however that comes.
    /// After a loss of power, recent values may be missing, and with some stores cut or empty.
    Relaxed,
}

#[cfg(any(feature = "disk", feature = "sqlite", feature = "zip"))]
pub(super) use folders::*;

#[cfg(any(feature = "disk", feature = "sqlite", feature = "zip"))]
mod folders {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use super::Durability;

    /// Makes a folder and what is missing above it, and brings that to disk.
    pub(in super::super) fn make_folder(path: &Path, durability: Durability) -> io::Result<()> {
        let is_missing = |path: &&Path| {
            !path.as_os_str().is_empty()
                && matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
        };
        let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
        std::fs::create_dir_all(path)?;
        // Elsewhere folders cannot be opened, and need not be synced.
        if cfg!(unix) && durability == Durability::Full {
            for made in missing.iter().rev() {
                let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
                sync_folder(&File::open(parent.unwrap_or(Path::new(".")))?)?;
            }
        }
        Ok(())
    }

    /// Brings the names in a folder to disk. Some file systems cannot be asked to; they do it anyway.
    pub(in super::super) fn sync_folder(folder: &File) -> io::Result<()> {
        match folder.sync_all() {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            answer => answer,
        }
    }
}
