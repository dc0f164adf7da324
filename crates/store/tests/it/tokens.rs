use inventory_core::{Actor, Scope};
use inventory_store::{NewToken, TokenConflict, TokenKey, WriteError};

use crate::database::{assert_sound, on_both};

fn ci() -> NewToken {
    NewToken::new("ci", [Scope::Write])
}

fn named(name: &str) -> TokenKey {
    TokenKey::Name(name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_until_it_is_revoked_anywhere() {
    on_both(|database| async {
        let one = database.open().await;
        let two = database.open().await;
        let (token, secret) = one.tokens().create(ci(), Actor::cli()).await.unwrap();
        assert!(secret.starts_with("inv_") && secret.len() > 40);
        for store in [&one, &two] {
            assert_eq!(store.tokens().authenticate(&secret).await.unwrap().unwrap().token, token);
            assert_eq!(store.tokens().authenticate("inv_wrong").await.unwrap(), None);
        }
        let again = one.tokens().create(ci(), Actor::cli()).await;
        assert!(matches!(again, Err(WriteError::Conflict(TokenConflict::NameTaken(_)))));
        one.tokens().revoke(named("ci"), Actor::cli()).await.unwrap();
        for store in [&one, &two] {
            assert_eq!(
                store.tokens().authenticate(&secret).await.unwrap(),
                None,
                "at once, in every process"
            );
        }
        assert!(one.tokens().revoke(named("ci"), Actor::cli()).await.is_err());
        let (_, second) = two.tokens().create(ci(), Actor::cli()).await.unwrap();
        assert!(one.tokens().authenticate(&second).await.unwrap().is_some());
        let listed = one.tokens().list().await.unwrap();
        assert_eq!(listed.iter().map(|token| token.revoked_at.is_some()).collect::<Vec<_>>(), [true, false]);
        assert_sound(&one, 0, 3).await;
        one.close().await;
        two.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_token_is_ensured_once() {
    on_both(|database| async {
        let stores = [database.open().await, database.open().await];
        let ensured = (0..8).map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                store.tokens().ensure("bootstrap", "a-long-enough-secret", Actor::system()).await
            })
        });
        for token in futures::future::join_all(ensured.collect::<Vec<_>>()).await {
            token.unwrap().unwrap();
        }
        assert_sound(&stores[0], 0, 1).await;
        // Replaced by several processes at once, it is replaced once.
        let replaced = (0..8).map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                store.tokens().ensure("bootstrap", "another-long-secret", Actor::system()).await
            })
        });
        for token in futures::future::join_all(replaced.collect::<Vec<_>>()).await {
            token.unwrap().unwrap();
        }
        assert!(stores[0].tokens().authenticate("another-long-secret").await.unwrap().is_some());
        assert_sound(&stores[0], 0, 3).await;
        for store in stores {
            store.close().await;
        }
    })
    .await;
}
