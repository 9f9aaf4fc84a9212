//! From the text of one value to its type. Each parser says only what is wrong; the value itself
//! and what would be right are added by the reader, which knows what must not be shown.
//!
//! White space around a value is ignored, except in paths and names, which are taken as given.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::reader::Wrong;
use super::storage::{Durability, Mode, S3Encryption, SqlitePath};
use super::{LogFormat, LogLevel, Secret};

const LONGEST_WAIT: u64 = 24 * 60 * 60;
const LONGEST_KEY_PREFIX: usize = 512;
const BUCKET_LENGTH: std::ops::RangeInclusive<usize> = 3..=63;

pub(super) fn as_given(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

pub(super) fn trimmed(text: &str) -> Result<String, Wrong> {
    Ok(text.trim().to_owned())
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.trim().parse().map_err(|_| "is not an address and a port")
}

pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err("is neither on nor off"),
    }
}

pub(super) fn uuid(text: &str) -> Result<Uuid, Wrong> {
    Uuid::parse_str(text.trim()).map_err(|_| "is not a UUID")
}

pub(super) fn mode(text: &str) -> Result<Mode, Wrong> {
    let name = text.trim();
    Mode::ALL.into_iter().find(|mode| mode.name() == name).ok_or("is not a storage mode")
}

pub(super) fn hours(text: &str) -> Result<u32, Wrong> {
    let hours = whole_number(text)?;
    u32::try_from(hours).map_err(|_| "is too large")
}

pub(super) fn seconds(text: &str) -> Result<Duration, Wrong> {
    match whole_number(text)? {
        seconds @ 0..=LONGEST_WAIT => Ok(Duration::from_secs(seconds)),
        _ => Err("is too large"),
    }
}

/// As [`seconds`], but a request that may take no time at all cannot succeed.
pub(super) fn timeout(text: &str) -> Result<Duration, Wrong> {
    match seconds(text)? {
        Duration::ZERO => Err("leaves no time for any request"),
        timeout => Ok(timeout),
    }
}

/// A number of bytes. Decimal units (kB, MB) are refused, since half of their users mean the binary
/// ones.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    let text = text.trim();
    let (number, unit) = match text.find(|character: char| !character.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err("is not a size"),
    };
    match whole_number(number)?.checked_mul(unit) {
        Some(0) => Err("leaves no room for anything"),
        Some(bytes) => Ok(bytes),
        None => Err("is too large"),
    }
}

/// As [`size`], for what must fit into the address space.
pub(super) fn size_in_memory(text: &str) -> Result<usize, Wrong> {
    usize::try_from(size(text)?).map_err(|_| "is too large")
}

/// A number of members of an archive: the plain format, which is what is written, counts in 16 bits.
pub(super) fn members(text: &str) -> Result<usize, Wrong> {
    match whole_number(text)? {
        0 => Err("leaves no room for anything"),
        members => Ok(u16::try_from(members).map_err(|_| "is too large")?.into()),
    }
}

pub(super) fn ratio(text: &str) -> Result<u64, Wrong> {
    match whole_number(text)? {
        0 => Err("leaves no room for anything"),
        ratio => Ok(ratio),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is not a log format"),
    }
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        _ => Err("is not a log level"),
    }
}

pub(super) fn durability(text: &str) -> Result<Durability, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "full" => Ok(Durability::Full),
        "relaxed" => Ok(Durability::Relaxed),
        _ => Err("is no durability"),
    }
}

pub(super) fn folder(text: &str) -> Result<PathBuf, Wrong> {
    Ok(PathBuf::from(text))
}

pub(super) fn file(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text);
    if text.ends_with(std::path::is_separator) || path.file_name().is_none() {
        return Err("names a folder, not a file");
    }
    Ok(path)
}

pub(super) fn sqlite_path(text: &str) -> Result<SqlitePath, Wrong> {
    match text {
        ":memory:" => Ok(SqlitePath::InMemory),
        path => file(path).map(SqlitePath::File),
    }
}

pub(super) fn bucket(text: &str) -> Result<String, Wrong> {
    let name = text.trim();
    let ends = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric());
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-');
    if !name.chars().all(allowed) {
        return Err("has other characters than a bucket name may have");
    }
    if !BUCKET_LENGTH.contains(&name.len()) {
        return Err("is too short or too long for a bucket name");
    }
    if !ends(name.chars().next()) || !ends(name.chars().next_back()) {
        return Err("does not begin and end with a letter or digit");
    }
    if name.contains("..") {
        return Err("has two dots in a row");
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err("looks like an IP address");
    }
    Ok(name.to_owned())
}

/// A folder of a bucket, without slashes around it.
pub(super) fn key_prefix(text: &str) -> Result<String, Wrong> {
    let prefix = text.trim().trim_matches('/');
    let wrong = |segment: &str| matches!(segment, "" | "." | "..");
    if prefix.is_empty() || prefix.split('/').any(wrong) || prefix.contains(char::is_control) {
        return Err("is not a folder of a bucket");
    }
    if prefix.len() > LONGEST_KEY_PREFIX {
        return Err("is too long, and leaves too little of S3's 1024 bytes for keys");
    }
    Ok(prefix.to_owned())
}

pub(super) fn s3_encryption(text: &str) -> Result<S3Encryption, Wrong> {
    match text.trim() {
        "AES256" => Ok(S3Encryption::Aes256),
        "aws:kms" => Ok(S3Encryption::Kms),
        _ => Err("is not a kind of encryption"),
    }
}

pub(super) fn url(text: &str) -> Result<String, Wrong> {
    let url = text.trim();
    let scheme_end = url.find("://").map(|at| url.split_at(at + "://".len()));
    match scheme_end {
        Some((scheme, rest))
            if ["http://", "https://"].contains(&scheme.to_ascii_lowercase().as_str())
                && rest.starts_with(|c: char| c != '/')
                && !url.contains(char::is_whitespace) =>
        {
            Ok(url.to_owned())
        }
        _ => Err("is not an http or https URL"),
    }
}

/// A name that serves as a header name and as a cookie name: RFC 9110 and RFC 6265 both say
/// `token`.
pub(super) fn header_name(text: &str) -> Result<String, Wrong> {
    let name = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.chars().all(allowed) {
        Ok(name.to_owned())
    } else {
        Err("cannot be the name of a header and a cookie")
    }
}

/// A header value without the white space around it. Header values are Latin-1, and its control
/// characters (the upper ones too) have no place in a key that people copy and paste.
pub(super) fn header_value(text: &str) -> Result<Secret, Wrong> {
    let value = without_outer_white_space(text);
    let allowed = |c: char| matches!(c, '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{ff}');
    if value.chars().all(allowed) {
        Ok(Secret::new(value))
    } else {
        Err("has control characters, or characters outside Latin-1, which a header cannot carry")
    }
}

/// What HTTP leaves of a header value, and what an editor may have left of a line. The no-break
/// space is a character like any other.
pub(super) fn without_outer_white_space(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_ascii_whitespace())
}

fn whole_number(text: &str) -> Result<u64, Wrong> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a whole number, 0 or more");
    }
    digits.parse().map_err(|_| "is too large")
}
