//! Files that cannot be imported as they are: every bad row is named, and nothing is changed.

use crate::{command::run_with, database::TestDatabase};

const BAD: &str = "\
sku,name,datasheet_url,min_quantity,tags,custom_fields,supplier
A,first,,,,,x
B,,www.example.org/b.pdf,1.5,,,x
C,third,,-1,\"a,b c,\"\"d\"\"\",,x
,fourth,,,,,x
A,fifth,,,,,x
D,sixth,,,,{\"pins\": [1]},x
E,seventh,,,,not json,x
F,eighth
\"G
H\",ninth,,,,,x
I,tenth,,,,,x
";

/// The complaints about a file, without the note about unused columns.
fn complaints(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.starts_with("line ")).collect()
}

#[test]
fn every_bad_row_is_reported_with_line_column_expected_and_found() {
    for database in TestDatabase::each() {
        let dry = run_with(&database, &["import", "-", "--dry-run"], &[], BAD.as_bytes());
        assert_eq!(dry.code, 1, "{}", dry.stderr);
        insta::assert_snapshot!("bad_rows", dry.stderr);
        assert_eq!(dry.stdout, "would create 2, update 0, leave 0 unchanged; bad rows: 8\n");

        let real = run_with(&database, &["import", "-"], &[], BAD.as_bytes());
        assert_eq!(complaints(&real.stderr), complaints(&dry.stderr));
        let complaint = real.failed(1);
        assert!(complaint.ends_with("error: nothing was changed; bad rows: 8\n"), "{complaint}");
        let report = crate::command::run(&database, &["check"]).ok();
        assert!(report.contains("Checked 0 components and 0 events"), "{report}");
    }
}

#[test]
fn a_cell_that_is_not_utf_8_is_a_bad_row() {
    let database = TestDatabase::sqlite();
    let file = b"sku,name\nA,caf\xe9\nB,b\n";
    let complaint = run_with(&database, &["import", "-"], &[], file).failed(1);
    assert!(
        complaint.contains("line 2, column \"name\": must be text in UTF-8; found \"caf\u{fffd}\""),
        "{complaint}"
    );
}

#[test]
fn what_is_wrong_with_the_whole_is_one_sentence() {
    let database = TestDatabase::sqlite();
    let complaint = |args: &[&str], file: &str| {
        run_with(&database, &[&["import", "-"], args].concat(), &[], file.as_bytes()).failed(1)
    };
    assert!(complaint(&[], "").contains("the file is empty"));
    assert!(complaint(&[], "part,name\nA,a\n").contains("no column fills the sku"));
    assert!(complaint(&["--map", "sku={pn}"], "part,name\nA,a\n").contains("its columns are part, name"));
    assert!(complaint(&[], "sku,name,name\nA,a,b\n").contains("\"name\" appears twice"));
    let utf_16: Vec<u8> = "\u{feff}sku,name\nA,a\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let complaint = run_with(&database, &["import", "-"], &[], &utf_16).failed(1);
    assert_eq!(complaint, "error: the header of the file is not text in UTF-8\n");
    let complaint = run_with(&database, &["import", "/no/such/file.csv"], &[], b"").failed(1);
    assert!(complaint.contains("cannot read /no/such/file.csv"), "{complaint}");
    for map in ["name", "colour={a}", "name={a", "custom_fields.Pins={a}"] {
        let complaint = run_with(&database, &["import", "-", "--map", map], &[], b"").failed(2);
        assert!(complaint.contains("--map"), "{complaint}");
    }
}

#[test]
fn a_component_cannot_be_named_by_two_rows() {
    let database = TestDatabase::sqlite();
    run_with(&database, &["import", "-"], &[], b"sku,name\nA,a\nB,b\n").ok();
    let export = crate::command::run(&database, &["export"]).ok();
    let id = export.lines().nth(1).unwrap().split(',').next().unwrap();
    let file = format!("id,sku,name\n{id},C,renamed\n,A,by its old sku\n");
    let complaint = run_with(&database, &["import", "-"], &[], file.as_bytes()).failed(1);
    assert!(complaint.contains(&format!("component {id}, which line 2 names too")), "{complaint}");
    // To give a component the sku of another is no conflict to be tried again: it is a bad row.
    let file = format!("id,sku,name\n{id},B,renamed\n");
    let complaint = run_with(&database, &["import", "-"], &[], file.as_bytes()).failed(1);
    assert!(complaint.contains("line 2, column \"sku\": must be unique; found \"B\""), "{complaint}");
}
