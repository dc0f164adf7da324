//! Positions in the log, as clients keep them.

use std::{fmt, ops::RangeInclusive, str::FromStr, sync::Arc};

use super::{EventId, Seq};

/// The longest epoch, in characters.
const MAX_EPOCH_CHARS: usize = 64;
/// The most digits of a number of the log: as many as always fit 64 bits.
const MAX_SEQ_DIGITS: usize = 18;
/// How many hexadecimal digits of the event's id a position carries.
const ID_DIGITS: usize = 8;

/// A position in an event log: the last event that a client has seen. Written `EPOCH-SEQ-XXXXXXXX`, where the last
/// part is the end of the event's id; `EPOCH-0` is before the first event, and so is `0`, in any log.
///
/// The number alone does not identify an event: a log that was restored from a backup gives the same numbers to other
/// events. So a position is of a log only if the event with that number has that id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    epoch: Option<Arc<str>>,
    seq: Seq,
    /// The last four bytes of the event's id, which are random.
    id_end: Option<u32>,
}

impl LogPosition {
    /// What the text of a position matches.
    pub const PATTERN: &str = "^(0|[A-Za-z0-9]{1,64}-[0-9]{1,18}(-[0-9a-f]{8})?)$";

    /// The position before the first event of a log.
    pub fn start(epoch: Arc<str>) -> Self {
        Self { epoch: Some(epoch), seq: Seq::default(), id_end: None }
    }

    /// The position after an event of a log.
    pub fn after(epoch: Arc<str>, seq: Seq, id: EventId) -> Self {
        Self { epoch: Some(epoch), seq, id_end: Some(id_end(id)) }
    }

    /// The number of the last event that was seen; 0 at the start.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Whether it is the start of the log of this epoch, or of any log.
    pub fn is_start_of(&self, epoch: &str) -> bool {
        self.seq == Seq::default() && self.id_end.is_none() && self.is_of(epoch)
    }

    /// Whether it is the position after this event of the log of this epoch.
    pub fn is_after(&self, epoch: &str, seq: Seq, id: EventId) -> bool {
        self.seq == seq && self.id_end == Some(id_end(id)) && self.is_of(epoch)
    }

    fn is_of(&self, epoch: &str) -> bool {
        self.epoch.as_deref().is_none_or(|own| own == epoch)
    }
}

fn id_end(EventId(id): EventId) -> u32 {
    let [.., a, b, c, d] = id.into_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, seq, id_end } = self;
        match (epoch, id_end) {
            (Some(epoch), Some(id_end)) => write!(f, "{epoch}-{seq}-{id_end:0ID_DIGITS$x}"),
            (Some(epoch), None) => write!(f, "{epoch}-{seq}"),
            (None, _) => seq.fmt(f),
        }
    }
}

/// A text is not a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of an event of the stream, or 0 for the beginning")]
pub struct ParsePositionError;

impl FromStr for LogPosition {
    type Err = ParsePositionError;

    /// Also reads the form without the end of the id, which is of no log.
    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        if text == "0" {
            return Ok(Self { epoch: None, seq: Seq::default(), id_end: None });
        }
        let mut parts = text.split('-');
        let epoch = part(parts.next(), 1..=MAX_EPOCH_CHARS, u8::is_ascii_alphanumeric)?;
        let seq = part(parts.next(), 1..=MAX_SEQ_DIGITS, u8::is_ascii_digit)?;
        let id_end = match parts.next() {
            None => None,
            digits => {
                Some(part(digits, ID_DIGITS..=ID_DIGITS, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))?)
            }
        };
        if parts.next().is_some() {
            return Err(ParsePositionError);
        }
        let id_end = id_end.map(|digits| u32::from_str_radix(digits, 16)).transpose();
        Ok(Self {
            epoch: Some(epoch.into()),
            seq: Seq(seq.parse().map_err(|_| ParsePositionError)?),
            id_end: id_end.map_err(|_| ParsePositionError)?,
        })
    }
}

/// A part of a position, if it has one of these lengths and only such characters.
fn part(
    text: Option<&str>,
    lengths: RangeInclusive<usize>,
    is_char: fn(&u8) -> bool,
) -> Result<&str, ParsePositionError> {
    text.filter(|text| lengths.contains(&text.len()) && text.as_bytes().iter().all(is_char))
        .ok_or(ParsePositionError)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: EventId = EventId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_00ab_cdef));

    #[test]
    fn positions_are_read_as_they_are_written() {
        let position = LogPosition::after("e1".into(), Seq(42), ID);
        assert_eq!(position.to_string(), "e1-42-00abcdef");
        assert_eq!(position.to_string().parse(), Ok(position));
        let start = LogPosition::start("e1".into());
        assert_eq!((start.to_string().as_str(), "e1-0".parse()), ("e1-0", Ok(start.clone())));
        assert_eq!("0".parse::<LogPosition>().map(|position| position.to_string()), Ok("0".to_owned()));
        let pattern = regex::Regex::new(LogPosition::PATTERN).unwrap();
        for bad in [
            "",
            "42",
            "e1",
            "e1-",
            "-1",
            "e1--1",
            "e1-+1",
            "e 1-1",
            "e1-1234567890123456789",
            "e1-1 ",
            "e1-1-",
            "e1-1-1",
            "e1-1-0123456G",
            "e1-1-0123ABCD",
            "e1-1-01234567-",
            "e1-1-012345678",
        ] {
            assert_eq!(bad.parse::<LogPosition>(), Err(ParsePositionError), "{bad:?}");
            assert!(!pattern.is_match(bad), "{bad:?}");
        }
        for good in ["0", "e1-0", "e1-42", "e1-42-00abcdef"] {
            assert!(good.parse::<LogPosition>().is_ok() && pattern.is_match(good), "{good:?}");
        }
    }

    #[test]
    fn a_position_is_after_one_event_of_one_log() {
        let other = EventId(Uuid::from_u128(ID.0.as_u128() ^ 1));
        let position: LogPosition = "e1-42-00abcdef".parse().unwrap();
        assert!(position.is_after("e1", Seq(42), ID));
        assert!(!position.is_after("e2", Seq(42), ID));
        assert!(!position.is_after("e1", Seq(41), ID));
        assert!(!position.is_after("e1", Seq(42), other));
        assert!(!"e1-42".parse::<LogPosition>().unwrap().is_after("e1", Seq(42), ID));
        for (text, is_start) in
            [("0", true), ("e1-0", true), ("e2-0", false), ("e1-0-00abcdef", false), ("e1-1", false)]
        {
            assert_eq!(text.parse::<LogPosition>().unwrap().is_start_of("e1"), is_start, "{text}");
        }
    }
}
