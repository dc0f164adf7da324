//! A file system that runs full.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// The file that takes the free space.
const FILLER: &str = "filler";

/// A file system in memory with a size, unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts a file system of the given size. Prints a line and returns `None` if this process may not mount
    /// one.
    pub fn mount(bytes: u64) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let options = format!("size={bytes},mode=0777");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { directory }),
            refused => {
                assert!(std::env::var_os("CI").is_none(), "a tmpfs is needed where CI is set: {refused:?}");
                eprintln!("SKIPPED: a tmpfs cannot be mounted without root");
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Gives it another size in bytes.
    pub fn resize(&self, bytes: u64) {
        let options = format!("remount,size={bytes}");
        let status = Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap();
        assert!(status.success());
    }

    /// Fills the file system up to the given number of free bytes.
    pub fn fill_up_to(&self, free: u64) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        loop {
            let now = rustix::fs::statvfs(self.path()).unwrap();
            let available = now.f_bavail * now.f_frsize;
            if available <= free {
                return;
            }
            let chunk = usize::try_from((available - free).min(64 * 1024)).unwrap();
            if file.write_all(&vec![0; chunk]).is_err() {
                return;
            }
        }
    }

    /// Resizes the file system so that the given number of bytes is free.
    pub fn leave(&self, free: u64) {
        let now = rustix::fs::statvfs(self.path()).unwrap();
        self.resize((now.f_blocks - now.f_bfree) * now.f_frsize + free);
    }

    /// Gives the space back.
    pub fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join(FILLER)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that a failing test left behind may still hold a file.
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}
