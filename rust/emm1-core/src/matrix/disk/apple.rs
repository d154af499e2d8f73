//! macOS names its file systems, and says whether other machines write to them.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::MapWrites;

pub(super) fn map_writes(file: &File) -> MapWrites {
    const LOCAL: u32 = 0x1000; // MNT_LOCAL of sys/mount.h
    let Ok(found) = rustix::fs::fstatfs(file) else { return MapWrites::Hidden("an unknown file system".into()) };
    let name: Vec<u8> = found.f_fstypename.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
    let name = String::from_utf8_lossy(&name).into_owned();
    if found.f_flags & LOCAL == 0 { MapWrites::Hidden(name) } else { MapWrites::Unknown(name) }
}

/// The device of a file; None if it cannot be determined.
pub(super) fn device(file: &File) -> Option<u64> {
    file.metadata().ok().map(|metadata| metadata.dev())
}
