//! What an import makes of good files.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::{
    command::{run, run_with},
    database::TestDatabase,
    server::{Server, TOKEN},
};

/// Where an import goes: into the database, beside a running server, or through the server.
struct Route<'a> {
    database: &'a TestDatabase,
    server: &'a Server,
    through_the_server: bool,
}

impl Route<'_> {
    fn import(&self, file: &str, args: &[&str]) -> crate::command::Run {
        let args = [&["import", "-"], args].concat();
        let through = [("INVENTORY_URL", &*self.server.base), ("INVENTORY_TOKEN", TOKEN)];
        let variables = if self.through_the_server { &through[..] } else { &[] };
        run_with(self.database, &args, variables, file.as_bytes())
    }
}

/// Runs a test on a new database for each kind of database and each route.
async fn on_each_route(test: impl AsyncFn(Route<'_>)) {
    for through_the_server in [false, true] {
        for database in TestDatabase::each() {
            let server = Server::start(&database);
            test(Route { database: &database, server: &server, through_the_server }).await;
            server.stop();
            run(&database, &["check"]).ok();
        }
    }
}

async fn component(server: &Server, sku: &str) -> Value {
    let (_, page) = server.api.get(&format!("/api/v1/components?sku={sku}")).await;
    page["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_create_update_and_leave_alone() {
    on_each_route(async |route| {
        let server = route.server;
        let created = route.import("sku,name,tags\nA,a,\"x, y\"\nB,b,\nC,c,\n", &[]).ok();
        assert_eq!(created, "created 3, updated 0, unchanged 0\n");
        server
            .api
            .patch(component(server, "A").await["id"].as_str().unwrap(), &json!({"notes": "by hand"}))
            .await;

        let second = "sku,name,tags\nA,a,\"y,x\"\nB,changed,\nD,d,z\n";
        let dry = route.import(second, &["--dry-run"]).ok();
        assert_eq!(dry, "would create 1, update 1, leave 1 unchanged; bad rows: 0\n");
        assert_eq!(route.import(second, &[]).ok(), "created 1, updated 1, unchanged 1\n");
        assert_eq!(route.import(second, &[]).ok(), "created 0, updated 0, unchanged 3\n");

        // Fields that the file does not have are left alone, and so are components.
        let a = component(server, "A").await;
        assert_eq!(
            (&a["notes"], &a["version"], &a["tags"]),
            (&json!("by hand"), &json!(2), &json!(["x", "y"]))
        );
        let b = component(server, "B").await;
        assert_eq!((&b["name"], &b["version"]), (&json!("changed"), &json!(2)));
        let actor = if route.through_the_server { "token:bootstrap" } else { "import" };
        assert_eq!(b["updated_by"], actor);
        assert_eq!(component(server, "C").await["version"], 1);

        // An empty cell empties its field.
        assert_eq!(route.import("sku,notes\nA,\n", &[]).ok(), "created 0, updated 1, unchanged 0\n");
        assert_eq!(component(server, "A").await["notes"], "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_mapped_as_the_options_say() {
    on_each_route(async |route| {
        let file = "\u{feff}Part;Family;Words;Stock;name;price\r\n 4001 ;4xxx;cmos nor;;ignored;0.25\r\n";
        let args = [
            "--delimiter",
            ";",
            "--list-separator",
            " ",
            "--map",
            "sku={Family}/{Part}",
            "--map",
            "name={Part}",
            "--map",
            "tags={Words}",
            "--map",
            "min_quantity={Stock}",
            "--map",
            "unit=reel",
            "--map",
            "custom_fields.family={{{Family}}}",
            "--map",
            "unit_cost={price}",
            "--map",
            "currency=EUR",
        ];
        let imported = route.import(file, &args);
        assert!(imported.stderr.contains("note: these columns fill no field: name"), "{}", imported.stderr);
        assert_eq!(imported.ok(), "created 1, updated 0, unchanged 0\n");
        let component = component(route.server, "4xxx/4001").await;
        assert_eq!(component["name"], "4001");
        assert_eq!(component["tags"], json!(["cmos", "nor"]));
        assert_eq!(component["min_quantity"], "0");
        assert_eq!(component["unit"], "reel");
        assert_eq!(component["custom_fields"], json!({"family": "{4xxx}"}));
        assert_eq!((&component["unit_cost"], &component["currency"]), (&json!("0.25"), &json!("EUR")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_fields_are_set_one_by_one_or_as_a_whole() {
    on_each_route(async |route| {
        let fields = async || component(route.server, "A").await["custom_fields"].clone();
        let file = "sku,name,custom_fields.pins,custom_fields.package\nA,a,14,DIP\n";
        route.import(file, &[]).ok();
        assert_eq!(fields().await, json!({"pins": "14", "package": "DIP"}));
        route.import("sku,custom_fields.pins\nA,\n", &[]).ok();
        assert_eq!(fields().await, json!({"package": "DIP"}));
        let whole = "sku,custom_fields\nA,\"{\"\"pins\"\": 14, \"\"rohs\"\": true}\"\n";
        route.import(whole, &[]).ok();
        assert_eq!(fields().await, json!({"pins": 14, "rohs": true}));
        assert_eq!(route.import(whole, &[]).ok(), "created 0, updated 0, unchanged 1\n");
        route.import("sku,custom_fields\nA,\n", &[]).ok();
        assert_eq!(fields().await, json!({}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_finds_a_component_whose_sku_was_changed() {
    on_each_route(async |route| {
        let api = &route.server.api;
        let old = api.create(&json!({"name": "a", "sku": "OLD"})).await;
        let bare = api.create(&json!({"name": "bare"})).await;
        let (old, bare) = (old["id"].as_str().unwrap(), bare["id"].as_str().unwrap());
        // The last two ids are of no component here, one of them of another system altogether.
        let unknown = "01900000-0000-7000-8000-000000000000";
        let file = format!("id,sku,name\n{old},NEW,a\n{bare},,named\n{unknown},X,x\n42,Y,y\n");
        assert_eq!(route.import(&file, &[]).ok(), "created 2, updated 2, unchanged 0\n");
        assert_eq!(api.get(&format!("/api/v1/components/{old}")).await.1["sku"], "NEW");
        assert_eq!(api.get(&format!("/api/v1/components/{bare}")).await.1["name"], "named");
        // Without a component of the id, only a sku can say which one it is.
        let complaint = route.import(&format!("id,sku,name\n{unknown},,x\n"), &[]).failed(1);
        assert!(complaint.contains("must not be empty unless a component has the id"), "{complaint}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skus_with_commas_quotes_and_other_scripts_are_found_again() {
    on_each_route(async |route| {
        let file = "sku,name\n\"a,b\",1\n\"\"\"q\"\"\",2\n\u{3a9}/\u{b5}+%&=?#,3\n==1+1,4\n";
        assert_eq!(route.import(file, &[]).ok(), "created 4, updated 0, unchanged 0\n");
        assert_eq!(route.import(file, &[]).ok(), "created 0, updated 0, unchanged 4\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_survives_others_who_change_its_rows_meanwhile() {
    on_each_route(async |route| {
        const ROWS: usize = 300;
        let api = &route.server.api;
        let file = |name: &str| {
            let rows: Vec<_> = (0..ROWS).map(|number| format!("{number},{name}")).collect();
            format!("sku,name\n{}\n", rows.join("\n"))
        };
        route.import(&file("first"), &[]).ok();
        let id = component(route.server, "150").await["id"].as_str().unwrap().to_owned();
        let done = Arc::new(AtomicBool::new(false));
        let editor = tokio::spawn({
            let (api, id, done) = (api.clone(), id.clone(), Arc::clone(&done));
            async move {
                let mut edits = 0_u64;
                while edits == 0 || !done.load(Ordering::Relaxed) {
                    api.patch(&id, &json!({"notes": edits.to_string()})).await;
                    edits += 1;
                }
                edits
            }
        });
        // This thread has nothing else to do; the editor has others.
        let outcome = route.import(&file("second"), &[]);
        done.store(true, Ordering::Relaxed);
        let edits = editor.await.unwrap();

        // Either it got through between two edits, or it says who was in the way; never a part of it.
        let (_, page) = api.get("/api/v1/components?name=second&limit=1").await;
        if outcome.code == 0 {
            assert_eq!(page["total"], ROWS);
        } else {
            assert!(outcome.stderr.contains("line 152: "), "{}", outcome.stderr);
            assert_eq!(page["total"], 0);
        }
        // Nobody in the way, it gets through.
        route.import(&file("second"), &[]).ok();
        let notes = api.get(&format!("/api/v1/components/{id}")).await.1["notes"].clone();
        assert_eq!(notes, (edits - 1).to_string(), "an edit was lost");
    })
    .await;
}

#[test]
fn what_a_server_cannot_take_is_refused_before_it_is_asked() {
    let database = TestDatabase::sqlite();
    let rows: Vec<_> = (0..20_001).map(|number| format!("{number},a")).collect();
    let file = format!("sku,name\n{}\n", rows.join("\n"));
    // Nobody listens there.
    let server = [("INVENTORY_URL", "http://127.0.0.1:1"), ("INVENTORY_TOKEN", TOKEN)];
    let complaint = run_with(&database, &["import", "-"], &server, file.as_bytes()).failed(1);
    assert!(
        complaint.contains("at most 20000 operations") && complaint.contains("20001 rows"),
        "{complaint}"
    );
    let complaint = run_with(&database, &["import", "-"], &server, b"sku,name\nA,a\n").failed(1);
    assert!(complaint.contains("the server does not answer"), "{complaint}");
    let complaint = run_with(&database, &["import", "-"], &server[..1], b"sku,name\nA,a\n").failed(2);
    assert!(complaint.contains("INVENTORY_TOKEN"), "{complaint}");
    assert_eq!(
        run_with(&database, &["import", "-"], &[], file.as_bytes()).ok(),
        "created 20001, updated 0, unchanged 0\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_good_is_said_to_be_so() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let variables = [("INVENTORY_URL", &*server.base), ("INVENTORY_TOKEN", "not-a-good-token")];
    let complaint = run_with(&database, &["import", "-"], &variables, b"sku,name\nA,a\n").failed(1);
    assert!(complaint.contains("401 Unauthorized: there is no such token"), "{complaint}");
    let complaint = run_with(&database, &["export"], &variables, b"").failed(1);
    assert!(complaint.contains("401 Unauthorized: there is no such token"), "{complaint}");
}

/// A number of rows with their skus, each ended by the next of `ends`.
fn file_with_line_ends(rows: usize, ends: &[&str]) -> String {
    let mut ends = ends.iter().cycle();
    let mut file = String::new();
    for line in std::iter::once("sku,name".to_owned()).chain((1..=rows).map(|row| format!("{row},a"))) {
        file.push_str(&line);
        file.push_str(ends.next().unwrap());
    }
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_lost_whatever_ends_the_lines() {
    on_each_route(async |route| {
        for (batch, ends) in
            [&["\r"][..], &["\r\n"], &["\r", "\n", "\r\n", "\r", "\r"]].into_iter().enumerate()
        {
            // The last digit of the skus and the last of the names tell the files apart.
            let file = file_with_line_ends(40, ends).replace(",a", &format!("-{batch},a{batch}"));
            let dry = route.import(&file, &["--dry-run"]).ok();
            assert_eq!(dry, "would create 40, update 0, leave 0 unchanged; bad rows: 0\n", "{ends:?}");
            assert_eq!(route.import(&file, &[]).ok(), "created 40, updated 0, unchanged 0\n", "{ends:?}");
            let (_, page) = route.server.api.get(&format!("/api/v1/components?name=a{batch}&limit=1")).await;
            assert_eq!(page["total"], 40, "{ends:?}");

            let complaint = route.import(&format!("{file}only one cell"), &[]).failed(1);
            assert!(complaint.contains("line 42: must have 2 cells"), "{ends:?}: {complaint}");
        }
    })
    .await;
}
