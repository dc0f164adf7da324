//! Rate limits: requests per second for each token, and for each address without a valid token. Also a limit
//! on invalid tokens from an address, so that tokens cannot be guessed.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers-11.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use inventory_core::TokenId;
use inventory_store::{Authenticated, ReadError, Store};
use tokio::time::Instant;

use super::{limit::Limit, metrics::HttpMetrics};
use crate::{
    bearer::{Identity, bearer},
    client_ip::{Client, network},
    limiter::Limiter,
    problem::{Problem, ProblemType},
};

/// The requests of how many seconds may come at once.
const BURST_SECONDS: u32 = 2;
/// How many wrong tokens an address may send at once.
const MAX_GUESSES: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// After how long it may then send one more.
const GUESS_PERIOD: Duration = Duration::from_secs(1);
/// How long a wrong token that comes again from the same address is the same mistake and no further guess: a
/// program whose token was revoked shuts nobody out beside it.
const MISTAKE_PERIOD: Duration = Duration::from_mins(10);
/// How long a token that was accepted is not refused because of the wrong ones that come from the same address.
const ACCEPTED_PERIOD: Duration = Duration::from_hours(1);
/// How old the note of an accepted token becomes before it is renewed.
const ACCEPTED_RENEWAL: Duration = Duration::from_mins(5);
/// After how many wrong tokens those that are no longer remembered are thrown away.
const SWEEP_GUESSES: usize = 1024;

/// What is answered however often it is asked for.
const UNLIMITED: [&str; 3] = ["/livez", "/metrics", "/readyz"];

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Whether there is a limit on the requests to a path.
pub fn is_limited(path: &str) -> bool {
    !UNLIMITED.contains(&path.trim_end_matches('/'))
}

/// The limits of a service.
#[derive(Debug)]
pub struct RateLimits {
    store: Store,
    requests: Option<Requests>,
    invalid_tokens: InvalidTokenLimiter,
    metrics: HttpMetrics,
}

impl RateLimits {
    /// Limits requests per second; `None` means no limit.
    pub fn new(a_second: Option<NonZeroU32>, store: Store, metrics: HttpMetrics) -> Self {
        Self {
            store,
            requests: a_second.map(Requests::new),
            invalid_tokens: InvalidTokenLimiter::new(),
            metrics,
        }
    }

    /// What the client of a request has left, where requests are limited, or the refusal of one of too many. Finds out
    /// whose token it carries, for the handler too.
    pub(crate) async fn admit(&self, request: &mut Request) -> Result<Option<RateLimitStatus>, Response> {
        let address = Client::of(request.extensions()).address;
        let network = network(address);
        let mut who = RateLimitKey::Network(network);
        let mut identified = false;
        if let Some(secret) = bearer(request.headers()) {
            self.admit_token(address, secret).map_err(IntoResponse::into_response)?;
            // One that was wrong a while ago is looked up behind the limit of its address.
            if !self.invalid_tokens.knows(network, secret) {
                identified = true;
                if let Some(token) = self.identify(address, request).await {
                    who = RateLimitKey::Token(token);
                }
            }
        }
        let standing = self.requests.as_ref().map(|requests| requests.check(who));
        if let (Some(requests), Some(RateLimitStatus { limit, wait: Some(wait), .. })) =
            (&self.requests, &standing)
        {
            self.metrics.refused(*limit);
            let mut refusal = requests.refusal(*limit, *wait).into_response();
            if let Some(standing) = standing {
                standing.tell(refusal.headers_mut());
            }
            return Err(refusal);
        }
        if !identified {
            self.identify(address, request).await;
        }
        Ok(standing)
    }

    /// Refuses a token from an address that sends wrong ones too fast, before it is looked at. Only one that
    /// was accepted recently passes, so that an attacker cannot test tokens faster than the limit allows.
    pub fn admit_token(&self, address: IpAddr, secret: &str) -> Result<(), Problem> {
        let Some(wait) = self.invalid_tokens.wait(network(address)) else { return Ok(()) };
        if self.invalid_tokens.has_accepted(secret) {
            return Ok(());
        }
        self.metrics.refused(Limit::Guesses);
        let detail = format!("too many invalid tokens were sent from {address}");
        Err(Problem::new(ProblemType::TooManyRequests, detail).with_retry_after(seconds(wait)))
    }

    /// The token with this secret. One that there is not counts as a guess from this address.
    pub async fn authenticate(
        &self,
        address: IpAddr,
        secret: &str,
    ) -> Result<Option<Authenticated>, ReadError> {
        let found = self.store.tokens().authenticate(secret).await?;
        match found {
            Some(_) => self.accept(address, secret),
            None => self.invalid_tokens.count(network(address), secret),
        }
        Ok(found)
    }

    /// Notes that a token from an address is a right one.
    pub fn accept(&self, address: IpAddr, secret: &str) {
        self.invalid_tokens.accept(network(address), secret);
    }

    /// Looks up the token of a request and notes for the handler what it is. Where the database fails, so it does for
    /// the handler that needs to know, which says so.
    async fn identify(&self, address: IpAddr, request: &mut Request) -> Option<TokenId> {
        let found = self.authenticate(address, bearer(request.headers())?).await.ok()?;
        let token = found.as_ref().map(|found| found.token.id);
        request.extensions_mut().insert(Identity(found));
        token
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RateLimitKey {
    Token(TokenId),
    Network(IpAddr),
}

impl RateLimitKey {
    fn limit(self) -> Limit {
        match self {
            Self::Token(_) => Limit::Token,
            Self::Network(_) => Limit::Address,
        }
    }
}

/// The limit of requests per second for each token and each address.
#[derive(Debug)]
struct Requests {
    limiter: Limiter<RateLimitKey>,
    a_second: NonZeroU32,
    burst: NonZeroU32,
    token_policy: HeaderValue,
    address_policy: HeaderValue,
}

impl Requests {
    fn new(a_second: NonZeroU32) -> Self {
        let burst = a_second.saturating_mul(const { NonZeroU32::new(BURST_SECONDS).unwrap() });
        let policy = |limit: Limit| text(format!("\"{}\";q={burst};w={BURST_SECONDS}", limit.name()));
        Self {
            limiter: Limiter::per_second(a_second, burst),
            a_second,
            burst,
            token_policy: policy(Limit::Token),
            address_policy: policy(Limit::Address),
        }
    }

    fn check(&self, who: RateLimitKey) -> RateLimitStatus {
        let (remaining, wait) = match self.limiter.check(&who) {
            Ok(left) => (left, None),
            Err(wait) => (0, Some(wait)),
        };
        let full_after = self.burst.get().saturating_sub(remaining).div_ceil(self.a_second.get());
        let policy = match who {
            RateLimitKey::Token(_) => &self.token_policy,
            RateLimitKey::Network(_) => &self.address_policy,
        };
        RateLimitStatus { limit: who.limit(), policy: policy.clone(), remaining, full_after, wait }
    }

    fn refusal(&self, limit: Limit, wait: Duration) -> Problem {
        let whose = match limit {
            Limit::Token => "with one token",
            Limit::Address | Limit::Guesses => "without a valid token from one address",
        };
        let Self { a_second, burst, .. } = self;
        let detail =
            format!("at most {a_second} requests per second {whose} are allowed, and {burst} at once");
        Problem::new(ProblemType::TooManyRequests, detail).with_retry_after(seconds(wait))
    }
}

/// Cannot fail where it is used: names and numbers.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// What a client has left.
#[derive(Debug)]
pub(crate) struct RateLimitStatus {
    limit: Limit,
    policy: HeaderValue,
    remaining: u32,
    /// After how many seconds without a request it is all there again.
    full_after: u32,
    /// How long to wait for the next request, where there is nothing left.
    wait: Option<Duration>,
}

impl RateLimitStatus {
    /// Tells the client.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Self { limit, policy, remaining, full_after, wait: _ } = self;
        headers.insert(RATE_LIMIT_POLICY, policy);
        headers.insert(RATE_LIMIT, text(format!("\"{}\";r={remaining};t={full_after}", limit.name())));
    }
}

/// Whole seconds, for a header: never none, or the client would come at once.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Wrong tokens by address.
#[derive(Debug)]
struct InvalidTokenLimiter {
    by_network: Limiter<IpAddr>,
    /// Until when no token from an address is looked at.
    blocked_until: RwLock<HashMap<IpAddr, Instant>>,
    /// The hashes of the wrong tokens with their addresses, and until when each is remembered.
    known: RwLock<HashMap<u64, Instant>>,
    /// The hashes of the tokens that were accepted, and when.
    accepted: RwLock<HashMap<u64, Instant>>,
    hasher: RandomState,
}

impl InvalidTokenLimiter {
    fn new() -> Self {
        Self {
            by_network: Limiter::new(MAX_GUESSES, GUESS_PERIOD),
            blocked_until: RwLock::default(),
            known: RwLock::default(),
            accepted: RwLock::default(),
            hasher: RandomState::new(),
        }
    }

    /// How long no token from here is looked at.
    fn wait(&self, network: IpAddr) -> Option<Duration> {
        let blocked_until = self.blocked_until.read().unwrap_or_else(PoisonError::into_inner);
        let wait = blocked_until.get(&network)?.saturating_duration_since(Instant::now());
        (wait > Duration::ZERO).then_some(wait)
    }

    /// Whether this wrong token came from here before.
    fn knows(&self, network: IpAddr, secret: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty()
            && known
                .get(&self.hasher.hash_one((network, secret)))
                .is_some_and(|until| *until > Instant::now())
    }

    /// Whether this token was accepted recently.
    fn has_accepted(&self, secret: &str) -> bool {
        let accepted = self.accepted.read().unwrap_or_else(PoisonError::into_inner);
        accepted.get(&self.hasher.hash_one(secret)).is_some_and(|at| at.elapsed() < ACCEPTED_PERIOD)
    }

    fn accept(&self, network: IpAddr, secret: &str) {
        let hash = self.hasher.hash_one(secret);
        let is_noted = |accepted: &HashMap<u64, Instant>| {
            accepted.get(&hash).is_some_and(|at| at.elapsed() < ACCEPTED_RENEWAL)
        };
        if !is_noted(&self.accepted.read().unwrap_or_else(PoisonError::into_inner)) {
            let mut accepted = self.accepted.write().unwrap_or_else(PoisonError::into_inner);
            accepted.retain(|_, at| at.elapsed() < ACCEPTED_PERIOD);
            accepted.insert(hash, Instant::now());
        }
        if self.knows(network, secret) {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.remove(&self.hasher.hash_one((network, secret)));
        }
    }

    fn count(&self, network: IpAddr, secret: &str) {
        if self.has_accepted(secret) {
            // It was revoked, or has expired.
            let mut accepted = self.accepted.write().unwrap_or_else(PoisonError::into_inner);
            accepted.remove(&self.hasher.hash_one(secret));
        }
        if self.knows(network, secret) {
            return;
        }
        let now = Instant::now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() % SWEEP_GUESSES == SWEEP_GUESSES - 1 {
            known.retain(|_, until| *until > now);
        }
        known.insert(self.hasher.hash_one((network, secret)), now + MISTAKE_PERIOD);
        drop(known);
        let left = self.by_network.check(&network).unwrap_or(0);
        if left == 0 {
            let mut blocked_until = self.blocked_until.write().unwrap_or_else(PoisonError::into_inner);
            blocked_until.retain(|_, until| *until > now);
            blocked_until.insert(network, now + GUESS_PERIOD);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn wrong_tokens_shut_their_address_and_no_other() {
        let invalid_tokens = InvalidTokenLimiter::new();
        for number in 1..=MAX_GUESSES.get() {
            assert_eq!(invalid_tokens.wait(address(1)), None, "{number}");
            invalid_tokens.count(address(1), &number.to_string());
        }
        assert!(invalid_tokens.wait(address(1)).is_some_and(|wait| wait <= GUESS_PERIOD));
        assert_eq!(invalid_tokens.wait(address(2)), None);
    }

    #[test]
    fn one_wrong_token_again_and_again_is_one_mistake() {
        let invalid_tokens = InvalidTokenLimiter::new();
        for _ in 0..10 * MAX_GUESSES.get() {
            invalid_tokens.count(address(1), "revoked");
        }
        assert_eq!(invalid_tokens.wait(address(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_accepted_token_is_remembered_for_an_hour_after_it_was_last_used() {
        let invalid_tokens = InvalidTokenLimiter::new();
        invalid_tokens.accept(address(1), "good");
        assert!(!invalid_tokens.has_accepted("other"));
        tokio::time::advance(ACCEPTED_RENEWAL).await;
        invalid_tokens.accept(address(1), "good");
        tokio::time::advance(ACCEPTED_PERIOD / 2).await;
        assert!(invalid_tokens.has_accepted("good"));
        tokio::time::advance(ACCEPTED_PERIOD / 2).await;
        assert!(!invalid_tokens.has_accepted("good"));
        invalid_tokens.accept(address(1), "another");
        assert_eq!(
            invalid_tokens.accepted.read().unwrap().len(),
            1,
            "who was not seen for long is forgotten"
        );
    }
}
