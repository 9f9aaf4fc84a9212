//! How far a string goes on without anything that needs attention: the inner loop of reading and
//! of writing.
//!
//! Eight bytes are looked at as one integer. The tests below set the top bit of each byte that
//! matches, and may set it wrongly only *above* a byte that does; so the lowest set bit is right.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The number of leading bytes that are not `"`, `\` or a control character below U+0020.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    run(bytes, marked, |byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
}

/// As [`plain`], but bytes from U+007F up also stop it.
#[inline]
pub(super) fn plain_ascii(bytes: &[u8]) -> usize {
    let from_delete_up = |word| (word | ((word & !TOPS) + ONES)) & TOPS;
    run(
        bytes,
        |word| marked(word) | from_delete_up(word),
        |byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\',
    )
}

#[inline(always)]
fn run(bytes: &[u8], stops: impl Fn(u64) -> u64, goes_on: impl Fn(u8) -> bool) -> usize {
    let first_of = |word: &[u8; 8]| {
        let found = stops(u64::from_le_bytes(*word));
        (found != 0).then(|| found.trailing_zeros() as usize / 8)
    };
    for (index, word) in bytes.as_chunks().0.iter().enumerate() {
        if let Some(place) = first_of(word) {
            return index * 8 + place;
        }
    }
    match bytes.last_chunk() {
        // Overlaps bytes that are known to be plain.
        Some(word) => first_of(word).map_or(bytes.len(), |place| bytes.len() - 8 + place),
        None => bytes.iter().take_while(|&&byte| goes_on(byte)).count(),
    }
}

#[inline(always)]
fn marked(word: u64) -> u64 {
    let below_space = word.wrapping_sub(0x20 * ONES);
    // Of the two characters, a match is a zero byte now, and only subtracting from that borrows.
    let quotes = (word ^ (u64::from(b'"') * ONES)).wrapping_sub(ONES);
    let backslashes = (word ^ (u64::from(b'\\') * ONES)).wrapping_sub(ONES);
    (below_space | quotes | backslashes) & !word & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stops_exactly_where_it_should() {
        for byte in 0..=u8::MAX {
            let stops = byte < 0x20 || byte == b'"' || byte == b'\\';
            for length in [3, 8, 13] {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let expected = |stops| if stops { place } else { length };
                    assert_eq!(plain(&bytes), expected(stops), "{byte:#x} in {length}");
                    let stops = stops || byte >= 0x7f;
                    assert_eq!(plain_ascii(&bytes), expected(stops), "{byte:#x} in {length}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_several_is_found() {
        for first in 0..=u8::MAX {
            for second in [0, 0x1f, 0x20, b'!', b'"', b'#', b'[', b'\\', b']', 0x7f, 0x80, 0xff] {
                let bytes = [b'a', first, second, b'a', b'"', b'a', b'a', b'a'];
                let slow = |stops: fn(u8) -> bool| bytes.iter().position(|&byte| stops(byte));
                let plain_stops = |byte| byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(Some(plain(&bytes)), slow(plain_stops));
                let ascii_stops =
                    |byte| !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\';
                assert_eq!(Some(plain_ascii(&bytes)), slow(ascii_stops));
            }
        }
    }
}
