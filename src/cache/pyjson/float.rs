//! Floats as Python prints them.

use std::fmt::{self, Write};

/// Python's `repr(number)`: the shortest decimal text that reads back as the same double.
///
/// Fixed notation with at least one decimal while the decimal exponent is from -4 to 15 (`1.0`,
/// `0.0001`), exponent notation with a sign and at least two digits beyond (`1e+16`, `1.5e-05`).
/// What is not finite is `nan`, `inf` or `-inf`; JSON has other words for those, which the writers
/// of this module see to.
pub fn float_repr(number: f64) -> String {
    let mut out = String::with_capacity(24);
    if number.is_nan() {
        out.push_str("nan");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { "inf" } else { "-inf" });
    } else {
        with_finite_repr(number, |pieces| {
            pieces.iter().for_each(|piece| out.push_str(piece));
        });
    }
    out
}

/// Gives the `repr` of a finite number in pieces, without allocating.
pub(super) fn with_finite_repr(number: f64, take: impl FnOnce(&[&str])) {
    // Rust's own notation has the same digits, and always one of them before the point: `-1.25e-7`.
    let mut shortest = Shortest::default();
    let written = write!(shortest, "{:e}", number.abs());
    debug_assert!(written.is_ok(), "a double takes at most 24 characters");
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let (mantissa, exponent) = shortest.as_str().split_once('e').unwrap_or(("0", "0"));
    let (first, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap_or(0);

    match exponent {
        -4..=-1 => {
            let zeros = &ZEROS[..exponent.unsigned_abs() as usize - 1];
            take(&[sign, "0.", zeros, first, decimals]);
        }
        0..=15 => {
            let whole = exponent as usize;
            if decimals.len() > whole {
                let (before, after) = decimals.split_at(whole);
                take(&[sign, first, before, ".", after]);
            } else {
                let zeros = &ZEROS[..whole - decimals.len()];
                take(&[sign, first, decimals, zeros, ".0"]);
            }
        }
        _ => {
            let point = if decimals.is_empty() { "" } else { "." };
            let mark = if exponent < 0 { "e-" } else { "e+" };
            let mut power = Shortest::default();
            let written = write!(power, "{:02}", exponent.unsigned_abs());
            debug_assert!(written.is_ok(), "an exponent takes at most three digits");
            take(&[sign, first, point, decimals, mark, power.as_str()]);
        }
    }
}

const ZEROS: &str = "000000000000000";

/// A small piece of ASCII text on the stack.
#[derive(Default)]
struct Shortest {
    bytes: [u8; 32],
    length: usize,
}

impl Shortest {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Shortest {
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
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float_repr(number), expected);
        }
    }
}
