//! Floats as Python prints them.

use std::fmt::{self, Write};

/// Python's `repr(number)`: the shortest decimal text that reads back as the same double.
///
/// Fixed notation with at least one decimal while the decimal exponent is from -4 to 15 (`1.0`,
/// `0.0001`), exponent notation with a sign and at least two digits beyond (`1e+16`, `1.5e-05`).
/// What is not finite is `nan`, `inf` or `-inf`; JSON has other words for those, which the writers
/// of this module see to.
pub fn float_repr(number: f64) -> String {
    let repr = if number.is_nan() {
        "nan"
    } else if number.is_infinite() {
        if number > 0.0 { "inf" } else { "-inf" }
    } else {
        return finite_repr(number).as_str().to_owned();
    };
    repr.to_owned()
}

/// The `repr` of a number that is finite, on the stack.
pub(super) fn finite_repr(number: f64) -> Short {
    let mut repr = Short::default();
    if number.is_sign_negative() {
        repr.push("-");
    }
    let number = number.abs();
    if !push_short_fraction(&mut repr, number) {
        push_shortest(&mut repr, number);
    }
    repr
}

/// Appends numbers such as `9.99`, which are common: up to 15 digits, 4 of them decimals.
///
/// If an integer and a power of ten that doubles hold exactly have `number` for their quotient,
/// then so does their decimal text when it is read. And no other text of up to 15 digits does,
/// since doubles keep such texts apart; so it is the shortest.
fn push_short_fraction(repr: &mut Short, number: f64) -> bool {
    for (decimals, scale) in [(1, 10), (2, 100), (3, 1000), (4, 10_000)] {
        let scaled = (number * scale as f64 + 0.5) as u64;
        if scaled < 1_000_000_000_000_000 && scaled as f64 / scale as f64 == number {
            let (whole, rest) = (scaled / scale, scaled % scale);
            repr.write(format_args!("{whole}.{rest:0decimals$}"));
            return true;
        }
    }
    false
}

fn push_shortest(repr: &mut Short, number: f64) {
    const ZEROS: &str = "000000000000000";

    let shortest = shortest(number);
    let (mantissa, exponent) = shortest.split();
    let (first, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match exponent {
        -4..=-1 => {
            let zeros = &ZEROS[..exponent.unsigned_abs() as usize - 1];
            repr.push_all(["0.", zeros, first, decimals]);
        }
        0..=15 => {
            let whole = exponent as usize;
            if decimals.len() > whole {
                let (before, after) = decimals.split_at(whole);
                repr.push_all([first, before, ".", after]);
            } else {
                let zeros = &ZEROS[..whole - decimals.len()];
                repr.push_all([first, decimals, zeros, ".0"]);
            }
        }
        _ => {
            let point = if decimals.is_empty() { "" } else { "." };
            let mark = if exponent < 0 { "e-" } else { "e+" };
            repr.push_all([first, point, decimals, mark]);
            repr.write(format_args!("{:02}", exponent.unsigned_abs()));
        }
    }
}

/// The shortest digits that read back as `number`, in Rust's notation, which always has one digit
/// before the point: `1.25e-7`.
fn shortest(number: f64) -> Short {
    let shortest = Short::from_fmt(format_args!("{number:e}"));
    if !may_be_halfway(number) {
        return shortest;
    }
    // Of two texts of the same length that are equally near, Rust takes the upper one for its
    // shortest, and the even one when asked for so many digits. Python always takes the even one.
    let (mantissa, _) = shortest.split();
    let decimals = mantissa.len().saturating_sub("1.".len());
    let even = Short::from_fmt(format_args!("{number:.decimals$e}"));
    let reads_back = even.as_str().parse() == Ok(number);
    if reads_back { even } else { shortest }
}

/// Whether `number` can lie halfway between two texts of up to 17 digits.
///
/// It is then an odd number of up to 18 digits, the last one a 5, times a power of ten. The same
/// power of two is in `number`, and the fives have to find room in 18 digits or in 53 bits.
fn may_be_halfway(number: f64) -> bool {
    let bits = number.to_bits();
    let power_of_two = (bits >> 52) as i32 - 1075 + bits.trailing_zeros().min(52) as i32;
    (-25..=21).contains(&power_of_two)
}

/// A small piece of ASCII text on the stack: the longest `repr` has 24 characters.
#[derive(Default)]
pub(super) struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl Short {
    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    fn from_fmt(text: fmt::Arguments<'_>) -> Self {
        let mut short = Short::default();
        short.write(text);
        short
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        let written = self.write_fmt(text);
        debug_assert!(written.is_ok(), "{text} is not short");
    }

    fn push(&mut self, text: &str) {
        let written = self.write_str(text);
        debug_assert!(written.is_ok(), "{text} is not short");
    }

    fn push_all(&mut self, texts: [&str; 4]) {
        texts.into_iter().for_each(|text| self.push(text));
    }

    /// The mantissa and the exponent of Rust's notation.
    fn split(&self) -> (&str, &str) {
        let text = self.as_str();
        text.split_once('e').unwrap_or((text, "0"))
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_cpython_prints() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (9.99, "9.99"),
            (1234.5678, "1234.5678"),
            (99999999999.9999, "99999999999.9999"),
            (999999999999.9999, "999999999999.9999"),
            (100.0, "100.0"),
            (123.456, "123.456"),
            (0.0001, "0.0001"),
            (0.000123, "0.000123"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (9007199254740993.0, "9007199254740992.0"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e22, "1e+22"),
            (1e23, "1e+23"),
            (2e-10, "2e-10"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (f64::MAX, "1.7976931348623157e+308"),
            // Ties between two texts of the same length.
            (2e15 + 0.25, "2000000000000000.2"),
            (2e15 + 0.75, "2000000000000000.8"),
            (2.9802322387695312e-08, "2.9802322387695312e-08"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float_repr(number), expected);
        }
    }
}
