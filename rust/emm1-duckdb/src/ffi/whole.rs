//! Whole numbers, read exactly from any numeric SQL type.

use emm1_core::{Error, Result};

use super::input::Vector;
use super::types::LogicalType;

/// Doubles up to this are exact whole numbers; larger ones may have been rounded.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Some values of a vector as BIGINT, None if NULL. `what` names them in errors.
///
/// # Errors
/// A value is not a whole number, does not fit in BIGINT, or is not numeric.
pub(super) fn integers(vector: Vector<'_>, rows: std::ops::Range<usize>, what: &str) -> Result<Vec<Option<i64>>> {
    let sql_type = vector.sql_type();
    let id = sql_type.id();
    let (scale, id) = if id == DECIMAL { sql_type.decimal() } else { (0, id) };
    // SAFETY: each type is read in DuckDB's representation; a 128-bit number is two 64-bit halves, the low one first.
    unsafe {
        match id {
            2 => vector.read(rows, |value: i8| Ok(value.into())),
            3 => vector.read(rows, |value: i16| unscaled(value.into(), scale, what)),
            4 => vector.read(rows, |value: i32| unscaled(value.into(), scale, what)),
            5 => vector.read(rows, |value: i64| unscaled(value.into(), scale, what)),
            6 => vector.read(rows, |value: u8| Ok(value.into())),
            7 => vector.read(rows, |value: u16| Ok(value.into())),
            8 => vector.read(rows, |value: u32| Ok(value.into())),
            9 => vector.read(rows, |value: u64| unscaled(value.into(), 0, what)),
            10 => vector.read(rows, |value: f32| of_double(value.into(), what)),
            11 => vector.read(rows, |value: f64| of_double(value, what)),
            16 => vector.read(rows, |[low, high]: [u64; 2]| {
                unscaled((i128::from(high.cast_signed()) << 64) | i128::from(low), scale, what)
            }),
            32 => vector.read(rows, |[low, high]: [u64; 2]| match high {
                0 => unscaled(low.into(), 0, what),
                _ => Err(refused(what, &((u128::from(high) << 64) | u128::from(low)).to_string())),
            }),
            NULL => Ok(vec![None; rows.len()]),
            _ => Err(Error::Request(format!("{what} must be a whole number: cast it to BIGINT"))),
        }
    }
}

/// Numbers of types in DuckDB's enumeration.
const DECIMAL: u32 = 19;
const NULL: u32 = 36;

/// Whether this is the type of a bare NULL.
pub(super) fn is_null(sql_type: &LogicalType) -> bool {
    sql_type.id() == NULL
}

/// `value` shifted by a number of decimal digits, if that is a whole number.
fn unscaled(value: i128, scale: u8, what: &str) -> Result<i64> {
    let unit = 10i128.pow(scale.into());
    if value % unit == 0
        && let Ok(whole) = i64::try_from(value / unit)
    {
        return Ok(whole);
    }
    let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    let (whole, rest) = (value / unit.unsigned_abs(), value % unit.unsigned_abs());
    let digits = if scale == 0 { String::new() } else { format!(".{rest:0width$}", width = scale.into()) };
    Err(refused(what, &format!("{sign}{whole}{digits}")))
}

fn of_double(value: f64, what: &str) -> Result<i64> {
    if value.fract() != 0.0 || !value.is_finite() {
        return Err(refused(what, &format!("{value:?}")));
    }
    if value.abs() > EXACT {
        let text = format!("{what} is {value:?}, and a DOUBLE so large may have been rounded: cast it to BIGINT");
        return Err(Error::Request(text));
    }
    Ok(value as i64)
}

/// The whole number in DuckDB's text of a value.
pub(super) fn of_text(text: &str, what: &str) -> Result<i64> {
    let whole =
        text.split_once('.').map_or(text, |(whole, rest)| if rest.bytes().all(|b| b == b'0') { whole } else { text });
    match (whole.parse(), text.parse()) {
        (Ok(whole), _) => Ok(whole),
        (_, Ok(double)) if !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => of_double(double, what),
        _ => Err(refused(what, text)),
    }
}

fn refused(what: &str, value: &str) -> Error {
    Error::Request(format!("{what} must be a whole number that fits BIGINT, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_doubles_and_text() {
        assert_eq!(unscaled(-700, 2, "k").unwrap(), -7);
        assert_eq!(unscaled(i64::MIN.into(), 0, "k").unwrap(), i64::MIN);
        let says = |result: Result<i64>| result.unwrap_err().to_string();
        assert_eq!(says(unscaled(-705, 2, "k")), "k must be a whole number that fits BIGINT, not -7.05");
        assert!(says(unscaled(1 << 63, 0, "k")).ends_with("not 9223372036854775808"));
        assert_eq!(of_double(-0.0, "k").unwrap(), 0);
        assert_eq!(of_double(EXACT, "k").unwrap(), 1 << 53);
        assert!(says(of_double(7.5, "k")).ends_with("not 7.5"));
        assert!(says(of_double(f64::NAN, "k")).ends_with("not NaN"));
        assert!(says(of_double(1e300, "k")).contains("1e300, and a DOUBLE so large may have been rounded"));
        for (text, whole) in [("7", 7), ("7.000", 7), ("-7.0", -7), ("1e3", 1000)] {
            assert_eq!(of_text(text, "k").unwrap(), whole);
        }
        for text in ["7.5", "99999999999999999999", "1e300", "x", ""] {
            assert!(of_text(text, "k").is_err(), "{text}");
        }
    }
}
