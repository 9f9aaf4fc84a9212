//! How far a string goes on without anything that needs attention: the inner loop of reading and
//! of writing.
//!
//! Eight bytes are looked at as one integer. The tests below set the top bit of each byte that
//! matches, and may set it wrongly only *above* a byte that does; so the lowest set bit is right.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The number of leading bytes that are not `"`, `\` or a control character below U+0020.
pub(super) fn plain(bytes: &[u8]) -> usize {
    run(bytes, marked, |byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
}

/// As [`plain`], but bytes from U+007F up also stop it.
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
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = stops(u64::from_le_bytes(*word));
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let tail_run = tail.iter().take_while(|&&byte| goes_on(byte)).count();
    bytes.len() - tail.len() + tail_run
}

#[inline(always)]
fn marked(word: u64) -> u64 {
    let below_space = word.wrapping_sub(0x20 * ONES) & !word;
    let quotes = word ^ (u64::from(b'"') * ONES);
    let backslashes = word ^ (u64::from(b'\\') * ONES);
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    (below_space | is_zero(quotes) | is_zero(backslashes)) & TOPS
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
