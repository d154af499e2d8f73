//! Linux numbers its file systems.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::MapWrites;

pub(super) fn map_writes(file: &File) -> MapWrites {
    // From linux/magic.h. File systems with a name show writes through maps, in their `page_mkwrite` or because they
    // are read-only.
    const SHOWS: [u32; 8] = [
        0xef53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683e, // Btrfs
        0xf2f5_2010, // F2FS
        0xca45_1a4e, // bcachefs
        0x7371_7368, // SquashFS
        0xe0f5_e1e2, // EROFS
        0x9660,      // ISO 9660
    ];
    const OVERLAY: u32 = 0x794c_7630; // shows what the file system under it shows
    let Ok(found) = rustix::fs::fstatfs(file) else { return MapWrites::Hidden("an unknown file system".into()) };
    let name = match found.f_type as u32 {
        shows if SHOWS.contains(&shows) => return MapWrites::Show,
        OVERLAY => return MapWrites::Unknown("an overlay of a file system".into()),
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x6969 => "NFS",
        0xfe53_4d42 | 0xff53_4d42 | 0x517b => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9P",
        0x2fc1_2fc1 => "ZFS",
        other => return MapWrites::Hidden(format!("a file system of type {other:#x}")),
    };
    MapWrites::Hidden(name.into())
}

/// The device of a file; None if it cannot be determined.
pub(super) fn device(file: &File) -> Option<u64> {
    file.metadata().ok().map(|metadata| metadata.dev())
}
