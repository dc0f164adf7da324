//! Line ends: LF, CRLF, CR and any mixture, also within quotes, with blank lines between records.

use std::fmt::Write as _;

use inventory_csv::{Form, Header, Outcome, Plan, Table, TableError};
use proptest::{collection::vec, prelude::*, sample::select};

const FORM: Form<'static> =
    Form { mappings: &[], delimiter: b',', list_separator: ",", max_rows: 1000, max_custom_values: 1000 };

fn plan(file: &str) -> Plan {
    Plan::new(&Table::read(file.as_bytes(), &FORM).unwrap(), &[]).unwrap()
}

/// The line on which a text ends, from 1.
fn line_of_end(text: &str) -> u64 {
    let breaks = text.replace("\r\n", "\n").replace('\r', "\n");
    1 + breaks.matches('\n').count() as u64
}

/// A record of a file.
#[derive(Debug, Clone)]
struct Record {
    /// The blank lines before it.
    blank: Vec<&'static str>,
    /// The text within quotes in its last cell.
    notes: String,
    /// Whether it has a cell too many.
    faulty: bool,
    end: &'static str,
}

fn line_end() -> impl Strategy<Value = &'static str> {
    select(&["\n", "\r\n", "\r"][..])
}

fn record() -> impl Strategy<Value = Record> {
    let notes = vec(select(&["a", "\u{b5}", ",", "\"\"", "\n", "\r\n", "\r", " "][..]), 0..6);
    (vec(line_end(), 0..3), notes, any::<bool>(), line_end()).prop_map(|(blank, notes, faulty, end)| {
        // Letters around it, so that what is trimmed or escaped in a cell does not matter here.
        Record { blank, notes: format!("x{}x", notes.concat()), faulty, end }
    })
}

proptest! {
    #[test]
    fn every_record_is_one_row_with_the_line_on_which_it_begins(
        bom in any::<bool>(),
        header_end in line_end(),
        records in vec(record(), 1..12),
        last_end in any::<bool>(),
    ) {
        let mut file = if bom { "\u{feff}" } else { "" }.to_owned();
        file.push_str("sku,name,notes");
        file.push_str(header_end);
        let mut expected = Vec::new();
        for (index, Record { blank, notes, faulty, end }) in records.iter().enumerate() {
            file.push_str(&blank.concat());
            expected.push((line_of_end(&file), *faulty, notes.replace("\"\"", "\"")));
            let surplus = if *faulty { ",surplus" } else { "" };
            write!(file, "S{index},name,\"{notes}\"{surplus}").unwrap();
            if last_end || index + 1 < records.len() {
                file.push_str(end);
            }
        }
        let rows: Vec<_> = plan(&file).rows.into_iter().collect();
        prop_assert_eq!(rows.len(), records.len(), "rows out, records in");
        for (index, (row, (line, faulty, notes))) in rows.iter().zip(&expected).enumerate() {
            prop_assert_eq!(row.line, *line, "record {} of {:?}", index, &file);
            match &row.outcome {
                Outcome::Create(component) => {
                    prop_assert!(!*faulty);
                    let component = serde_json::to_value(component).unwrap();
                    prop_assert_eq!(&component["sku"], &format!("S{index}"));
                    prop_assert_eq!(&component["notes"], notes);
                }
                Outcome::Faulty(faults) => {
                    prop_assert!(*faulty, "{:?}", faults);
                    prop_assert!(faults.iter().all(|fault| fault.line == *line));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

#[test]
fn rows_that_are_wrong_keep_their_place_and_their_line_in_a_file_with_cr_alone() {
    let plan = plan("sku,name\rA,a\rB\rC,c\rC,again\rD,d\r");
    let lines: Vec<_> = plan.rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6]);
    let faults: Vec<_> = plan.faults().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "line 3: must have 2 cells, as the header has; found 1",
            "line 5, column \"sku\": must be unique in the file; found \"C\", which line 4 has too",
        ]
    );
    assert_eq!(plan.operations().0, [2, 4, 6]);
}

#[test]
fn the_delimiter_is_seen_in_the_header_alone_whatever_ends_it() {
    assert_eq!(Header::delimiter(b"sku;name\rA,1;a,b,c\rB,2;d,e,f\r"), b';');
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_and_swallows_no_rows() {
    let file = "sku,name,notes\r\nA,a,\r\n\r\nB,b,\"never closed\r\nC,c,\r\nD,d,\r\n";
    let error = Table::read(file.as_bytes(), &FORM).unwrap_err();
    assert!(matches!(error, TableError::OpenQuote { line: 4 }), "{error}");
    for closed in
        ["sku,name,notes\nA,a,\"b\"", "sku,name,notes\nA,a,\"b\"\"\"\n", "sku,name,notes\nA,a,b\"\n"]
    {
        assert_eq!(plan(closed).rows.len(), 1, "{closed:?}");
    }
}
