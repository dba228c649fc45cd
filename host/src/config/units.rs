//! Values with a unit, as people write them: `64MiB`, `1%`, `10/s`, `3h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An amount of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory; the largest one where it does not fit.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = SIZES.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match exact {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected a size such as \"64MiB\" or \"512KiB\"".to_owned();
        let (number, unit) = split_unit(text);
        let factor = if unit.is_empty() {
            1
        } else {
            SIZES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit))
                .map(|(_, size)| *size)
                .ok_or_else(expected)?
        };
        let number: u64 = number.parse().map_err(|_| expected())?;
        number.checked_mul(factor).map(Self).ok_or_else(|| "the size is too large".to_owned())
    }
}

/// A part of a whole, between nothing and all of it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// Between 0 and 1.
    #[must_use]
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to what a person can have meant: 0.07 * 100 is not quite 7 in binary.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err("expected a share such as \"1%\", from \"0%\" to \"100%\"".to_owned()),
        }
    }
}

/// So many in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least 1.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = show_duration(self.per);
        write!(f, "{}/{}", self.count, per.strip_prefix('1').filter(|unit| is_unit(unit)).unwrap_or(&per))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected a rate such as \"10/s\", \"100/m\" or \"100/10s\"".to_owned();
        let (count, per) = text.split_once('/').ok_or_else(expected)?;
        let count: u32 = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(expected)?;
        let per = per.trim();
        let per = if is_unit(per) { parse_duration(&format!("1{per}")) } else { parse_duration(per) };
        per.ok().filter(|per| !per.is_zero()).map(|per| Self { count, per }).ok_or_else(expected)
    }
}

/// Reads a duration such as `30s`, `180m`, `2h 30m` or `1d`.
///
/// # Errors
/// A sentence that says what is expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as \"500ms\", \"30s\", \"180m\", \"2h\" or \"1d\"".to_owned())
}

/// Writes a duration in the largest unit that holds it exactly.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match units.iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

fn is_unit(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic())
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!("64MiB".parse(), Ok(ByteSize(64 << 20)));
        assert_eq!("512 kib".parse(), Ok(ByteSize(512 << 10)));
        assert_eq!("1MB".parse(), Ok(ByteSize(1_000_000)));
        assert_eq!("77".parse(), Ok(ByteSize(77)));
        for wrong in ["", "MiB", "1.5MiB", "-1B", "10 parsecs", "99999999999TiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_and_rates_read_as_people_write_them() {
        assert_eq!("1%".parse::<Share>().unwrap().fraction(), 0.01);
        assert!("101%".parse::<Share>().is_err() && "0.5".parse::<Share>().is_err());
        assert_eq!("10/s".parse(), Ok(Rate { count: 10, per: Duration::from_secs(1) }));
        assert_eq!("100/10s".parse(), Ok(Rate { count: 100, per: Duration::from_secs(10) }));
        for wrong in ["10", "0/s", "10/", "10/0s", "x/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_show_in_the_largest_exact_unit() {
        assert_eq!(show_duration(Duration::from_secs(180 * 60)), "3h");
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_duration(Duration::from_millis(1_500)), "1500ms");
        assert_eq!(show_duration(Duration::ZERO), "0s");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_value(bytes: u64, ms in 0_u64..1 << 40, count in 1_u32.., percent in 0_u32..=100) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
            let rate = Rate { count, per: duration.max(Duration::from_millis(1)) };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            let share: Share = format!("{percent}%").parse().unwrap();
            prop_assert_eq!(share.to_string(), format!("{percent}%"));
        }
    }
}
