//! Files that wait to be imported.

use inventory_core::{Actor, Clock, Role};
use inventory_store::{Config, Password, RowKind, Staged, StagedRow, Store};
use time::{Duration, macros::datetime};

use crate::database::on_both;

fn row(line: u64, kind: RowKind) -> StagedRow {
    StagedRow { line, kind, body: format!("line {line}") }
}

#[tokio::test]
async fn a_file_waits_for_its_owner_until_it_is_done_or_its_time_is_over() {
    on_both(async |database| {
        let start = datetime!(2027-01-15 08:00:00 UTC);
        let clock = Clock::fixed(start);
        let store = Store::open(Config { clock: clock.clone(), ..database.config() }).await.unwrap();
        let password = Password::new("correct horse battery").unwrap();
        let user = store
            .users()
            .create("anna".parse().unwrap(), Role::Editor, password, Actor::cli())
            .await
            .unwrap();
        let id = store.import_jobs().add(user.id, "a.csv", b"sku".to_vec(), "{}".to_owned()).await.unwrap();
        let other =
            store.import_jobs().add(user.id, "b.csv", b"name".to_vec(), "{}".to_owned()).await.unwrap();
        let rows = vec![row(2, RowKind::Create), row(3, RowKind::Faulty), row(4, RowKind::Create)];
        store
            .import_jobs()
            .plan(id, "settings".to_owned(), vec![row(9, RowKind::Change)], None)
            .await
            .unwrap();
        store.import_jobs().plan(id, "settings".to_owned(), rows.clone(), None).await.unwrap();
        let staged = store.import_jobs().find(user.id, id).await.unwrap().unwrap();
        assert_eq!((staged.plan, staged.counts, staged.bytes), (2, [2, 0, 0, 1], 3));
        assert_eq!(store.import_jobs().rows(id, None, 0, 10).await.unwrap(), rows);
        assert_eq!(store.import_jobs().rows(id, Some(RowKind::Create), 1, 10).await.unwrap(), rows[2..]);

        // Of all who begin, one does, and only with the plan that there is.
        assert!(!store.import_jobs().start(id, 1).await.unwrap());
        assert!(store.import_jobs().start(id, 2).await.unwrap());
        assert!(!store.import_jobs().start(id, 2).await.unwrap());
        // What failed can be begun again; what is done is gone but for how it ended.
        store.import_jobs().finish(id, 2, "failed".to_owned(), false).await.unwrap();
        assert!(store.import_jobs().start(id, 2).await.unwrap());
        store.import_jobs().finish(id, 1, "another plan".to_owned(), true).await.unwrap();
        assert!(store.import_jobs().content(id).await.unwrap().is_some());
        store.import_jobs().finish(id, 2, "done".to_owned(), true).await.unwrap();
        let staged = store.import_jobs().find(user.id, id).await.unwrap().unwrap();
        assert_eq!((staged.outcome.as_deref(), staged.started.is_some()), (Some("done"), true));
        assert_eq!(store.import_jobs().content(id).await.unwrap(), None);
        assert_eq!(store.import_jobs().rows(id, None, 0, 10).await.unwrap(), []);

        // A file that is no longer there has no plan.
        let gone = store.import_jobs().add(user.id, "c.csv", b"sku".to_vec(), "{}".to_owned()).await.unwrap();
        store.import_jobs().remove(user.id, gone).await.unwrap();
        assert!(!store.import_jobs().plan(gone, "settings".to_owned(), rows, None).await.unwrap());
        assert_eq!(store.import_jobs().rows(gone, None, 0, 10).await.unwrap(), []);

        clock.set(start + Staged::KEPT_FOR);
        assert_eq!(store.import_jobs().list(user.id).await.unwrap().len(), 2);
        clock.set(start + Staged::KEPT_FOR + Duration::microseconds(1));
        assert_eq!(store.import_jobs().list(user.id).await.unwrap(), []);
        assert_eq!(store.import_jobs().find(user.id, other).await.unwrap(), None);
        store.close().await;
    })
    .await;
}
