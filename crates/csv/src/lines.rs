//! Line numbers as editors count them.

/// Counts the lines of a file up to one position after another.
///
/// LF, CRLF and CR each end a line, also within quotes. The CSV reader cannot be asked: it counts LF alone, and it
/// places a record before the blank lines and the LF of a CRLF that precede it.
pub(crate) struct LineCounter<'a> {
    bytes: &'a [u8],
    /// How far lines were counted.
    position: usize,
    /// The line at that position, from 1.
    line: u64,
}

impl<'a> LineCounter<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, line: 1 }
    }

    /// The line on which a record begins that the CSV reader places at `position`. Positions must ascend.
    pub(crate) fn line_of_record(&mut self, position: usize) -> u64 {
        let blank = self.bytes.iter().skip(position).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start = (position + blank).min(self.bytes.len());
        while self.position < start {
            match self.bytes[self.position..start] {
                [b'\r', b'\n', ..] => self.advance(2),
                [b'\r' | b'\n', ..] => self.advance(1),
                _ => self.position += 1,
            }
        }
        self.line
    }

    fn advance(&mut self, bytes: usize) {
        self.position += bytes;
        self.line += 1;
    }
}
