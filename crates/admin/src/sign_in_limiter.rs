//! How often signing in may be tried.
//!
//! Who guesses is slowed down, by the address and by the name that is guessed at, however many addresses the
//! guesses come from. So that this does not lock out the owner of the name, a browser that was signed in under
//! it before has a separate limit, which nobody else can use up.

use std::{hash::BuildHasher, hash::RandomState, num::NonZeroU32, sync::Arc, time::Duration};

use inventory_core::{SessionId, UserName};
use inventory_http::{Client, Limiter};
use inventory_store::{ReadError, Store};

/// How often one address may try at once, and after how long once more.
const BY_ADDRESS: (NonZeroU32, Duration) = (NonZeroU32::new(20).unwrap(), Duration::from_secs(5));
/// The same for one name, from all browsers together that are not known to be its owner's.
const BY_NAME: (NonZeroU32, Duration) = (NonZeroU32::new(10).unwrap(), Duration::from_secs(30));
/// The same for one name from a browser that was signed in under it before.
const BY_KNOWN_BROWSER: (NonZeroU32, Duration) = (NonZeroU32::new(10).unwrap(), Duration::from_secs(10));

/// The limits of one process. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct SignInLimiter(Arc<Limits>);

#[derive(Debug)]
struct Limits {
    by_address: Limiter<std::net::IpAddr>,
    /// By a hash: a name that is typed may be a password, and should not stay in memory.
    by_name: Limiter<u64>,
    by_known_browser: Limiter<(u64, SessionId)>,
    hasher: RandomState,
}

impl Default for SignInLimiter {
    fn default() -> Self {
        fn limiter<K: std::hash::Hash + Eq + Clone>((burst, period): (NonZeroU32, Duration)) -> Limiter<K> {
            Limiter::new(burst, period)
        }
        Self(Arc::new(Limits {
            by_address: limiter(BY_ADDRESS),
            by_name: limiter(BY_NAME),
            by_known_browser: limiter(BY_KNOWN_BROWSER),
            hasher: RandomState::new(),
        }))
    }
}

impl SignInLimiter {
    /// Lets an attempt go on, and says whether the browser is known to be of the user; or tells how long to wait for the
    /// next. `browser` is a session that the browser had before, as it says.
    pub(crate) async fn admit(
        &self,
        store: &Store,
        client: Client,
        name: &str,
        browser: Option<SessionId>,
    ) -> Result<Result<bool, Duration>, ReadError> {
        let Limits { by_address, by_name, by_known_browser, hasher } = &*self.0;
        let hash = hasher.hash_one(name);
        if let (Ok(name), Some(session)) = (name.parse::<UserName>(), browser)
            && store.sessions().knows_browser(&name, session).await?
        {
            return Ok(by_known_browser.check(&(hash, session)).map(|_| true));
        }
        // Both count, also where the first refuses: who sends many at once is not let in sooner for it.
        let (by_address, by_name) = (by_address.check(&client.network()), by_name.check(&hash));
        Ok(match (by_address, by_name) {
            (Err(one), Err(other)) => Err(one.max(other)),
            (Err(wait), Ok(_)) | (Ok(_), Err(wait)) => Err(wait),
            (Ok(_), Ok(_)) => Ok(false),
        })
    }
}
