//! How many cells the lines of a file have, and how long they are, found out without keeping any.

use csv_core::{ReadFieldResult, ReaderBuilder};

/// How many cells a line of a file may have. A cell takes one byte of the file and many bytes of memory.
pub(crate) const MAX_CELLS: usize = 1000;

/// How long a cell may be, in bytes: twice as long as the longest that can fill a field.
pub(crate) const MAX_CELL_BYTES: usize = 1024 * 1024;

/// Room for a part of a cell, in bytes; what it holds is not looked at.
const PART_BYTES: usize = 4096;

/// What a file has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Cells in a line.
    Cells,
    /// Bytes in a cell.
    CellBytes,
}

/// Refuses a file with a line of more than [`MAX_CELLS`] cells, or with a cell of more than [`MAX_CELL_BYTES`].
pub(crate) fn check(bytes: &[u8], delimiter: u8) -> Result<(), Excess> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut rest, mut part) = (bytes, [0; PART_BYTES]);
    // Of the line and of the cell that are being read.
    let (mut cells, mut length) = (0, 0);
    loop {
        let (result, read, written) = reader.read_field(rest, &mut part);
        rest = &rest[read..];
        length += written;
        if length > MAX_CELL_BYTES {
            return Err(Excess::CellBytes);
        }
        match result {
            ReadFieldResult::Field { record_end } => {
                cells += 1;
                if cells > MAX_CELLS {
                    return Err(Excess::Cells);
                }
                length = 0;
                if record_end {
                    cells = 0;
                }
            }
            // An empty rest is the end to the reader.
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::End => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_so_many_cells_and_no_more() {
        let line = |cells: usize| vec!["a"; cells].join(";");
        for (file, fits) in [
            (String::new(), true),
            (line(MAX_CELLS), true),
            (format!("{0}\n{0}\n{0}", line(MAX_CELLS)), true),
            (line(MAX_CELLS + 1), false),
            (format!("a\n{}\n", line(MAX_CELLS + 1)), false),
            (format!("\"{}\"", line(MAX_CELLS + 1)), true),
            (format!("\"{}", "\"\"".repeat(MAX_CELL_BYTES)), true),
            (format!("\"{}", "x".repeat(MAX_CELL_BYTES + 1)), false),
            (format!("{};{0}\n{0}", "x".repeat(MAX_CELL_BYTES)), true),
            (",".repeat(MAX_CELLS + 1), true),
        ] {
            assert_eq!(check(file.as_bytes(), b';').is_ok(), fits, "{}", file.len());
        }
    }
}
