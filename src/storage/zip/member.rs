//! Values as members: packed, and read back with all checks.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::FileExt;

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use sha2::{Digest, Sha256};

use super::corrupt;
use super::index::Slot;
use crate::key::Key;
use crate::storage::{Error, Result, files};
use crate::zipfile::{Header, LOCAL_BYTES, Local, Moment, decoded, flag, method};

/// The SHA-256 of a value, of which its version is made.
pub(super) type Hash = [u8; 32];

/// A value ready to be appended to an archive.
#[derive(Debug)]
pub(super) struct Packed {
    /// The local header and the compressed data.
    pub(super) bytes: Vec<u8>,
    /// The length of the compressed data.
    pub(super) packed_size: u64,
    /// The length of the value.
    pub(super) size: u64,
    pub(super) crc: u32,
    pub(super) hash: Hash,
}

/// Packs a value. Always compressed, as upstream does it.
pub(super) fn pack(key: &Key, value: &[u8], now: Moment) -> Packed {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder.write_all(value).and_then(|()| encoder.finish());
    let deflated = deflated.expect("writing to memory does not fail");
    let mut crc = Crc::new();
    crc.update(value);
    let sizes = (deflated.len() as u64, value.len() as u64);
    let header = Header::new(key.as_str(), method::DEFLATED, now, crc.sum(), sizes);
    let mut bytes = Vec::with_capacity(LOCAL_BYTES + key.as_str().len() + deflated.len());
    header.write_local(&mut bytes, &[]);
    bytes.extend_from_slice(&deflated);
    Packed {
        bytes,
        packed_size: sizes.0,
        size: sizes.1,
        crc: crc.sum(),
        hash: Sha256::digest(value).into(),
    }
}

/// Reads the value of a member. What is not as its headers say is an error, never another value.
pub(super) fn read(file: &File, key: &Key, slot: &Slot) -> Result<Vec<u8>> {
    let wrong = |why: &'static str| Err(corrupt(key.as_str(), why));
    let (local, header) = local(file, slot.place.header).map_err(unreadable(key))?;
    let Some(local) = local else { return wrong("there is no member where it should be") };
    let name = decoded(&header[LOCAL_BYTES..LOCAL_BYTES + local.name_bytes], local.flags);
    if !name.is_ok_and(|name| name == key.as_str()) {
        return wrong("the member has another name");
    }
    if !local.agrees(slot.method, slot.packed_size, slot.size) {
        return wrong("the member is described in two ways that contradict each other");
    }
    if local.flags & (flag::ENCRYPTED | flag::STRONGLY_ENCRYPTED | flag::PATCH) != 0 {
        return wrong("the member is encrypted or a patch");
    }
    let Ok(length) = usize::try_from(slot.packed_size) else {
        return wrong("the member is longer than memory");
    };
    let mut packed = vec![0; length];
    let data_at = slot.place.header + header.len() as u64;
    file.read_exact_at(&mut packed, data_at).map_err(unreadable(key))?;
    let value = match slot.method {
        method::STORED => packed,
        method::DEFLATED => {
            // A little more than is expected, to find out that there is more; no allocation is
            // made on the word of a header.
            let mut value = Vec::with_capacity(length.saturating_mul(4).min(slot.size as usize));
            let mut decoder = DeflateDecoder::new(&*packed).take(slot.size.saturating_add(1));
            if decoder.read_to_end(&mut value).is_err() {
                return wrong("the member cannot be unpacked");
            }
            value
        }
        _ => return wrong("the member is compressed in a way other than deflate"),
    };
    let mut crc = Crc::new();
    crc.update(&value);
    if value.len() as u64 != slot.size || crc.sum() != slot.crc {
        return wrong("the member does not match its checksum");
    }
    Ok(value)
}

/// Reads a local header with its name and its extra fields; `None` if it is none.
pub(super) fn local(file: &File, at: u64) -> io::Result<(Option<Local>, Vec<u8>)> {
    let mut fixed = [0; LOCAL_BYTES];
    file.read_exact_at(&mut fixed, at)?;
    let mut header = fixed.to_vec();
    let Some(local) = Local::read(&fixed) else { return Ok((None, header)) };
    header.resize(LOCAL_BYTES + local.name_bytes + local.extra_bytes, 0);
    file.read_exact_at(&mut header[LOCAL_BYTES..], at + LOCAL_BYTES as u64)?;
    Ok((Some(local), header))
}

/// A file that ends too early was cut by someone.
fn unreadable(key: &Key) -> impl Fn(io::Error) -> Error + '_ {
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt(key.as_str(), error),
        _ => files::failed(super::BACKEND, "read", key.as_str())(error),
    }
}
