//! Files that are brought in.

use std::{fmt::Write as _, time::Instant};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Method, StatusCode, header},
};
use inventory::{App, Options};
use inventory_core::{Event, Role};
use inventory_store::{Password, Staged};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::visitor::{Answer, COMPONENTS, MAX_PAGE_BYTES, PASSWORD, PATIENCE, Site, Visitor};

#[path = "../../../../xtask/src/parts.rs"]
mod parts;

const IMPORT: &str = "/admin/import";
const BOUNDARY: &str = "a boundary that no file has";
const IMAGE: &str = "<img src=x onerror=alert(1)>";

/// How the form begins that uploads a file.
fn form_head(name: &str) -> String {
    format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: text/csv\r\n\r\n"
    )
}

/// The form that uploads a file.
fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    [form_head(name).as_bytes(), content, tail.as_bytes()].concat()
}

async fn post_upload(visitor: &mut Visitor<'_>, body: Body) -> Answer {
    let request = visitor
        .request(Method::POST, IMPORT)
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary=\"{BOUNDARY}\""));
    visitor.send(request.body(body).unwrap()).await
}

/// Uploads a file and returns where it leads to.
pub(crate) async fn upload(visitor: &mut Visitor<'_>, name: &str, content: &str) -> String {
    let answer = post_upload(visitor, form(name, content.as_bytes()).into()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.location()
}

/// Says yes to the preview, and waits for how it ends.
async fn run(visitor: &mut Visitor<'_>, path: &str) -> Answer {
    let plan = visitor.get(path).await.field("plan").to_owned();
    let answer = visitor.post(&format!("{path}/run"), &[("plan", &plan)]).await;
    assert_eq!(
        (answer.status, answer.location().as_str()),
        (StatusCode::SEE_OTHER, path),
        "{}",
        answer.text()
    );
    ended(visitor, path).await
}

async fn ended(visitor: &mut Visitor<'_>, path: &str) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = visitor.get(&format!("{path}/progress")).await;
        if serde_json::from_slice::<Value>(&told.body).unwrap()["running"] == false {
            return visitor.get(path).await;
        }
        assert!(Instant::now() < deadline, "the import never ends");
    }
}

#[tokio::test]
async fn a_file_is_looked_at_row_by_row_before_anything_is_written() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let changed = site.create(json!({"sku": "B", "name": "b", "tags": ["old"]})).await;
        site.create(json!({"sku": "C", "name": "c"})).await;
        let head = site.head().await;
        let file = "sku;title;Colour;tags\nA;a;red;x,y\nB;b;;new\nC;c;;\n";
        let columns = upload(&mut editor, "parts.csv", file).await;
        let page = editor.get(&columns).await;
        page.assert_has(&[
            "parts.csv",
            "<option value=\";\" selected>Semicolon</option>",
            "name=\"fill.sku\" value=\"{sku}\"",
            "name=\"fill.name\" value=\"{title}\"",
            "aria-label=\"Custom field for column Colour\"",
        ]);
        let fields = [
            ("delimiter", ";"),
            ("delimiter_shown", ";"),
            ("list_separator", ","),
            ("fill.sku", "{sku}"),
            ("fill.name", "{title}"),
            ("fill.tags", "{tags}"),
            ("custom.2", "colour"),
        ];
        // What is wrong is told, and what was typed is still there.
        let mut wrong = fields;
        wrong[4].1 = "{titel}";
        let refused = editor.post(&columns, &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused.assert_has(&["from a column &#34;titel&#34;", "value=\"{titel}\"", "value=\"colour\""]);
        let preview = editor.follow(&columns, &fields).await;
        preview.assert_has(&[
            "<b>1</b> Create",
            "<b>1</b> Change",
            "<b>1</b> Unchanged",
            "Import: 1 to create, 1 to change",
            "<del>old</del> → <ins>new</ins>",
            &format!("href=\"{COMPONENTS}/{}\">b</a>", changed.id),
        ]);
        let path = columns.strip_suffix("/columns").unwrap().to_owned();
        let creates = editor.get(&format!("{path}?kind=create")).await;
        creates.assert_has(&["<dd>colour: red</dd>", "line 2"]);
        assert!(!creates.has("line 3"));
        assert_eq!(site.head().await, head, "nothing is written yet");

        let done = run(&mut editor, &path).await;
        done.assert_has(&["parts.csv was imported", "updated_by=import:editor"]);
        assert_eq!(site.head().await, head + 2, "one event each");
        let history = site.store.history(changed.id, None, 1).await.unwrap();
        assert_eq!(history.events[0].actor.as_str(), "import:editor");
        let Event::ComponentUpdated(updated) = &history.events[0].data else { panic!("{history:?}") };
        assert_eq!(updated.after.version, 2);
        let page = editor.get(&format!("{COMPONENTS}/{}", changed.id)).await;
        page.assert_has(&["by editor (import)"]);
        // The file is gone, and what it did can still be read.
        let id = path.rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(site.store.import_jobs().content(id).await.unwrap(), None);
        assert_eq!(site.store.import_jobs().rows(id, None, 0, 10).await.unwrap(), []);
        let again = editor.post(&format!("{path}/run"), &[("plan", "1")]).await;
        assert_eq!((again.status, site.head().await), (StatusCode::SEE_OTHER, head + 2));
    }
}

#[tokio::test]
async fn rows_that_are_wrong_are_named_and_keep_all_out() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let path = upload(&mut editor, "a.csv", "sku,name,unit_cost\nA,a,1\nB,,1\nC,c,cheap\nA,d,1\n").await;
        let page = editor.get(&format!("{path}?kind=error")).await;
        page.assert_has(&[
            "3 rows have errors. Nothing is imported until they are fixed.",
            "<b>column &#34;name&#34;</b> must not be empty; found nothing",
            "<b>column &#34;unit_cost&#34;</b> must be a decimal",
            "must be unique in the file; found &#34;A&#34;, which line 2 has too",
            "line 5",
        ]);
        assert!(!page.has("Import: "));
        let plan = page.field("plan").to_owned();
        let answer = editor.post(&format!("{path}/run"), &[("plan", &plan)]).await;
        assert_eq!((answer.status, site.count().await), (StatusCode::SEE_OTHER, 0));
        assert!(!ended(&mut editor, &path).await.has("was imported"));
    }
}

#[tokio::test]
async fn what_others_change_after_the_preview_is_not_overwritten() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site.create(json!({"sku": "A", "name": "a"})).await;
        let gone = site.create(json!({"sku": "B", "name": "b"})).await;
        let path = upload(&mut editor, "a.csv", "sku,name\nA,mine\nB,mine\nC,new\n").await;
        let preview = editor.get(&path).await;
        site.change(component.id, json!({"name": "theirs"})).await;
        site.delete(gone.id).await;
        editor
            .get(&path)
            .await
            .assert_has(&["This component was changed or deleted after the preview was made."]);
        let page = run(&mut editor, &path).await;
        page.assert_has(&[
            "Nothing was imported, because others changed some of these components",
            "Line 2: theirs was changed by token robot in the meantime.",
            "Line 3: its component was deleted in the meantime.",
            // The new preview.
            "<del>theirs</del> → <ins>mine</ins>",
            "Import: 2 to create, 1 to change",
        ]);
        assert_eq!(site.component(component.id).await.unwrap().name.as_str(), "theirs");
        assert_eq!(site.count().await, 1);
        // Saying yes to the old one is saying yes to something else.
        let plan = preview.field("plan").to_owned();
        let stale = editor.post(&format!("{path}/run"), &[("plan", &plan)]).await;
        assert_eq!((stale.status, site.count().await), (StatusCode::CONFLICT, 1));
        run(&mut editor, &path).await.assert_has(&["a.csv was imported"]);
        assert_eq!(site.component(component.id).await.unwrap().name.as_str(), "mine");
        assert_eq!(site.count().await, 3);
    }
}

#[tokio::test]
async fn an_upload_is_found_by_nobody_else_and_not_by_viewers() {
    for site in Site::each().await {
        let password = Password::new(PASSWORD).unwrap();
        let cli = inventory_core::Actor::cli();
        site.store.users().create("other".parse().unwrap(), Role::Editor, password, cli).await.unwrap();
        let (mut editor, mut other) = (site.editor().await, site.signed_in("other").await);
        let path = upload(&mut editor, "secret.csv", "sku,name\nA,a\n").await;
        assert!(!other.get(IMPORT).await.has("secret.csv"));
        editor.get(IMPORT).await.assert_has(&["secret.csv"]);
        for (method, path) in [
            (Method::GET, path.clone()),
            (Method::GET, format!("{path}/columns")),
            (Method::GET, format!("{path}/progress")),
            (Method::POST, format!("{path}/columns")),
            (Method::POST, format!("{path}/preview")),
            (Method::POST, format!("{path}/run")),
            (Method::POST, format!("{path}/discard")),
        ] {
            let ask = async |visitor: &mut Visitor<'_>| match method {
                Method::GET => visitor.get(&path).await.status,
                _ => visitor.post(&path, &[("plan", "1")]).await.status,
            };
            assert_eq!(ask(&mut other).await, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(ask(&mut site.viewer().await).await, StatusCode::FORBIDDEN, "{method} {path}");
            let signed_out = ask(&mut site.stranger()).await;
            assert!(
                matches!(signed_out, StatusCode::SEE_OTHER | StatusCode::UNAUTHORIZED),
                "{method} {path}"
            );
        }
        let mut viewer = site.viewer().await;
        let answer = post_upload(&mut viewer, form("a.csv", b"sku,name\nA,a\n").into()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(site.count().await, 0);
        editor.follow(&format!("{path}/discard"), &[]).await;
        assert_eq!(editor.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn uploads_are_few_and_the_oldest_makes_room() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let first = upload(&mut editor, "first.csv", "sku,name\nA,a\n").await;
        for _ in 0..Staged::MAX_OF_A_USER {
            assert_eq!(editor.get(&first).await.status, StatusCode::OK);
            upload(&mut editor, "more.csv", "sku,name\nA,a\n").await;
        }
        assert_eq!(editor.get(&first).await.status, StatusCode::NOT_FOUND);
        let mut kept = site.store.users().list().await.unwrap();
        kept.retain(|user| user.name.as_str() == "editor");
        let kept = site.store.import_jobs().list(kept[0].id).await.unwrap();
        assert_eq!(kept.len() as u64, Staged::MAX_OF_A_USER);
    }
}

#[tokio::test]
async fn nothing_that_is_in_a_file_becomes_part_of_a_page() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site.create(json!({"sku": IMAGE, "name": IMAGE, "notes": IMAGE})).await;
        let file =
            format!("sku,name,notes,{IMAGE}\n{IMAGE},b,\"<b>\n=1\",{IMAGE}\nA,{IMAGE},,\n,{IMAGE},,\n");
        let columns = upload(&mut editor, IMAGE, &file).await;
        let path = columns.strip_suffix("/columns").unwrap().to_owned();
        let typed = [
            ("delimiter", ","),
            ("delimiter_shown", ","),
            ("list_separator", ","),
            ("fill.sku", "{sku}"),
            ("fill.name", "{name}"),
            ("fill.notes", "{notes}"),
            ("custom.3", IMAGE),
        ];
        let mut answers = vec![
            editor.get(IMPORT).await,
            editor.get(&columns).await,
            editor.post(&columns, &typed).await,
            editor.follow(&columns, &typed[..6]).await,
            editor
                .get(
                    &format!("{path}?kind={IMAGE}")
                        .replace(' ', "%20")
                        .replace('<', "%3C")
                        .replace('>', "%3E"),
                )
                .await,
        ];
        site.change(component.id, json!({"notes": "theirs"})).await;
        answers.push(editor.get(&path).await);
        for answer in answers {
            assert!(!answer.has("<img"), "{}", answer.text());
            assert!(answer.has("&#60;img") || answer.has("&lt;img"), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn what_is_no_file_of_rows_is_refused_with_a_sentence() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let wide = (0..101).map(|number| format!("c{number}")).collect::<Vec<_>>().join(",");
        let long = "x".repeat(65);
        for (content, sentence) in [
            (&b""[..], "Choose a file"),
            (b"\n\n", "the file is empty"),
            (b"PK\x03\x04 and so on", "spreadsheet workbook"),
            (b"\xff\xfes\0k\0u\0", "not UTF-8 text"),
            (wide.as_bytes(), "has 101 columns"),
            (long.as_bytes(), "Does the first line of the file contain the column names?"),
        ] {
            let answer = post_upload(&mut editor, form("a.csv", content).into()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
            answer.assert_has(&[sentence]);
        }
        let answer = post_upload(&mut editor, Body::from("--something else\r\n")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let many = "sku,name\n".to_owned() + &"a,b\n".repeat(20_001);
        let columns =
            format!("{}/columns", upload(&mut editor, "many.csv", &many).await.trim_end_matches("/columns"));
        let fields =
            [("delimiter", ","), ("delimiter_shown", ","), ("list_separator", ","), ("fill.sku", "{sku}")];
        editor.post(&columns, &fields).await.assert_has(&["The file has more than 20000 rows"]);
    }
}

#[tokio::test]
async fn an_upload_that_is_too_long_or_breaks_off_leaves_nothing() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let too_long = vec![b'x'; 8 * 1024 * 1024 + 1];
        let answer = post_upload(&mut editor, form("long.csv", &too_long).into()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        answer.assert_has(&["The file is larger than 8 MB"]);
        // More than is read away.
        let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
        let endless = std::iter::once(Bytes::from(form_head("endless.csv"))).chain(std::iter::repeat(chunk));
        let endless = Body::from_stream(futures::stream::iter(endless.map(Ok::<_, std::io::Error>)));
        let answer = post_upload(&mut editor, endless).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text());
        let half = Bytes::from(form_head("half.csv") + "sku,name\nA,a\n");
        let gone = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let broken = Body::from_stream(futures::stream::iter([Ok(half), Err(gone)]));
        let answer = post_upload(&mut editor, broken).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        answer.assert_has(&["The upload was interrupted"]);
        for user in site.store.users().list().await.unwrap() {
            assert_eq!(site.store.import_jobs().list(user.id).await.unwrap(), []);
        }
    }
}

const PARTS: u64 = 15_333;

#[tokio::test]
async fn fifteen_thousand_components_are_imported_and_then_unchanged() {
    let file = parts::csv();
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let fields = [
            ("delimiter", ","),
            ("delimiter_shown", ","),
            ("list_separator", ","),
            ("fill.sku", "{library}/{part_number}"),
            ("fill.name", "{part_number}"),
            ("fill.description", "{description}"),
            ("custom.3", "keywords"),
            ("custom.4", "footprint"),
            ("custom.5", "datasheet"),
            ("custom.6", "reference"),
        ];
        let columns = upload(&mut editor, "kicad.csv", &file).await;
        let preview = editor.follow(&columns, &fields).await;
        preview.assert_has(&["<b>15,333</b> Create", "<b>0</b> Errors", "Import: 15,333 to create"]);
        let path = columns.strip_suffix("/columns").unwrap();
        for page in ["1", "7", "614", "615"] {
            let page = editor.get(&format!("{path}?kind=create&page={page}")).await;
            assert!(page.body.len() < MAX_PAGE_BYTES / 2, "{} bytes", page.body.len());
        }
        run(&mut editor, path).await.assert_has(&["<dd>15,333</dd><dt>created</dt>"]);
        assert_eq!(site.count().await, PARTS);
        let columns = upload(&mut editor, "again.csv", &file).await;
        editor.follow(&columns, &fields).await.assert_has(&[
            "<b>15,333</b> Unchanged",
            "<b>0</b> Create",
            "Nothing to import",
        ]);
    }
}

#[tokio::test]
async fn a_plan_may_be_as_awkward_as_it_likes_and_no_page_is_long() {
    let site = Site::on(crate::database::TestDatabase::sqlite()).await;
    let mut editor = site.editor().await;
    let worst = "\"\"".repeat(200);
    let header =
        "sku,name,description,notes,manufacturer,mpn,barcode,unit_cost,min_quantity,currency,status\n";
    let row = |number| format!("\"{number}{}\",\"{}\",\"{worst}\",\"{worst}\"", &worst[..80], &worst[..180]);
    let good = |number| format!("{},,,,,,,\n", row(number));
    let bad = |number| {
        format!(
            "{0},\"{worst}\",\"{worst}\",\"{worst}\",\"{worst}\",\"{worst}\",\"{worst}\",\"{worst}\"\n",
            row(number)
        )
    };
    let file = header.to_owned() + &(0..30).map(good).chain((30..60).map(bad)).collect::<String>();
    let path = upload(&mut editor, "worst.csv", &file).await;
    for kind in ["create", "error"] {
        // Every answer is held against the limit where it arrives.
        let page = editor.get(&format!("{path}?kind={kind}")).await;
        assert_eq!(page.status, StatusCode::OK);
        page.assert_has(&["<b>30</b> Create", "<b>30</b> Errors"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_one_person_uploads_at_once_are_taken_or_refused_in_words() {
    for site in Site::each().await {
        let editor = site.editor().await;
        let rows: Vec<_> = (0..300).map(|number| format!("S{number},a\n")).collect();
        let form = Bytes::from(form("a.csv", format!("sku,name\n{}", rows.concat()).as_bytes()));
        let mut uploads = JoinSet::new();
        for _ in 0..8 {
            // Each as in a separate process, which does not know of the others.
            let app = App::start(site.store.clone(), Options::default()).await.unwrap();
            let router = app.router();
            for _ in 0..2 {
                let request = editor
                    .request(Method::POST, IMPORT)
                    .header(header::HOST, "test")
                    .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary=\"{BOUNDARY}\""))
                    .body(Body::from(form.clone()))
                    .unwrap();
                uploads.spawn(router.clone().oneshot(request));
            }
        }
        let mut taken = 0;
        for response in uploads.join_all().await {
            let (parts, body) = response.unwrap().into_parts();
            let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
            match parts.status {
                StatusCode::SEE_OTHER => taken += 1,
                StatusCode::CONFLICT => assert!(text.contains("newer uploads"), "{text}"),
                status => panic!("{status}: {text}"),
            }
        }
        assert!(taken >= Staged::MAX_OF_A_USER, "{taken} were taken");
    }
}

#[tokio::test]
async fn no_row_is_lost_whatever_ends_the_lines() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let kinds = [("cr", ["\r", "\r"]), ("crlf", ["\r\n", "\r\n"]), ("mixed", ["\r", "\n"])];
        for (already, (name, ends)) in kinds.into_iter().enumerate() {
            let mut file = format!("sku;title{}", ends[0]);
            for row in 0..40 {
                write!(file, "{name}-{row};a,b{}", ends[row % 2]).unwrap();
            }
            let fields = [
                ("delimiter", ";"),
                ("delimiter_shown", ";"),
                ("list_separator", ","),
                ("fill.sku", "{sku}"),
                ("fill.name", "{title}"),
            ];
            let columns = upload(&mut editor, "mac.csv", &file).await;
            editor.get(&columns).await.assert_has(&["<option value=\";\" selected>Semicolon</option>"]);
            let preview = editor.follow(&columns, &fields).await;
            preview.assert_has(&["<b>40</b> Create", "<b>0</b> Errors", "line 2<", "line 11<"]);
            let path = columns.strip_suffix("/columns").unwrap();
            run(&mut editor, path).await.assert_has(&["<dd>40</dd><dt>created</dt>"]);
            assert_eq!(site.count().await, 40 * (already as u64 + 1), "{name}");
        }
    }
}
