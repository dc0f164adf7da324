//! Passwords: argon2id (RFC 9106) with the parameters that OWASP recommends and a separate salt for each
//! hash.
//!
//! A hash takes some 20 ms and 19 MiB by design. So only a few are computed at once, on dedicated threads,
//! each of which allocates that memory once.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, LazyLock, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use crate::error::ReadError;

/// How many passwords are hashed at once. Each takes 19 MiB.
const HASHES_AT_ONCE: usize = 2;
/// How many of them may be those of strangers, so that who is known never waits for more than one of these.
const STRANGERS_AT_ONCE: usize = 1;
/// How many strangers may wait for their turn: the last of them waits a second or two.
const MAX_WAITING_STRANGERS: usize = 64;

/// A password that may be set. No log and no message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(not shown)")
    }
}

/// Why a text cannot be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error("must be at least {min} characters long, and this has {0}", min = Password::MIN_CHARS)]
    TooShort(usize),
    /// It is too long.
    #[error("must be at most {max} characters long, and this has {0}", max = Password::MAX_CHARS)]
    TooLong(usize),
}

impl Password {
    /// The fewest characters. There are no rules of what they must be: length is what counts (NIST SP 800-63B).
    pub const MIN_CHARS: usize = 12;
    /// The most characters: more are a mistake, or an attempt to keep the service busy.
    pub const MAX_CHARS: usize = 256;

    /// Takes a text as a password.
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        match text.chars().count() {
            chars @ 0..Self::MIN_CHARS => Err(PasswordError::TooShort(chars)),
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text.to_owned())),
            chars => Err(PasswordError::TooLong(chars)),
        }
    }

    /// A random one: 144 bits.
    pub fn generate() -> Result<Self, ReadError> {
        super::secret::random_text::<18>().map(Self)
    }

    /// The text, to be shown once.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hash in the PHC string format, with its parameters and its salt.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash(pub(crate) String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(not shown)")
    }
}

/// Hashes passwords and compares them with hashes, a few at once. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Passwords(Arc<Work>);

/// What a thread is to do.
type Job = Box<dyn FnOnce() + Send>;

/// Starts the threads, and returns what leads to them. They end when that is dropped.
fn start_threads() -> mpsc::Sender<Job> {
    let (queue, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..HASHES_AT_ONCE {
        let jobs = Arc::clone(&jobs);
        let work = move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                // Who waits for the outcome hears that there is none.
                drop(catch_unwind(AssertUnwindSafe(job)));
            }
        };
        if let Err(error) = thread::Builder::new().name("passwords".to_owned()).spawn(work) {
            tracing::error!(%error, "failed to start a password hashing thread");
        }
    }
    queue
}

#[derive(Debug)]
struct Work {
    /// Where what is to be computed waits for one of the threads, in order. They are started for the first.
    queue: OnceLock<mpsc::Sender<Job>>,
    /// Held by the strangers whose turn it is.
    strangers: Semaphore,
    /// Held by them and by those who wait.
    places: Semaphore,
    /// How many passwords were compared. It is the same work for each attempt to sign in, which no clock can show
    /// as surely.
    compared: AtomicU64,
}

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Work {
            queue: OnceLock::new(),
            strangers: Semaphore::new(STRANGERS_AT_ONCE),
            places: Semaphore::new(STRANGERS_AT_ONCE + MAX_WAITING_STRANGERS),
            compared: AtomicU64::new(0),
        }))
    }
}

/// What a password is compared with where there is no user, so that it takes as long as where there is one.
static NOBODY: LazyLock<PasswordHash> =
    LazyLock::new(|| hash("nobody").unwrap_or(PasswordHash(String::new())));

/// The turn to have a password compared, which ends when this is dropped.
pub(super) struct Turn<'a>(
    #[expect(dead_code, reason = "they are only held")] Option<[SemaphorePermit<'a>; 2]>,
);

impl Passwords {
    /// Waits for a turn, first come, first served. Nothing where too many strangers wait.
    pub(super) async fn turn(&self, known: bool) -> Option<Turn<'_>> {
        if known {
            return Some(Turn(None));
        }
        let place = self.0.places.try_acquire().ok()?;
        let turn = self.0.strangers.acquire().await.ok()?;
        Some(Turn(Some([place, turn])))
    }

    /// The hash of a password, with a new salt.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, ReadError> {
        self.compute(move || hash(&password.0)).await?
    }

    /// Whether this is the password of a hash; never where there is none.
    pub(crate) async fn verify(
        &self,
        password: String,
        expected: Option<PasswordHash>,
    ) -> Result<bool, ReadError> {
        let work = Arc::clone(&self.0);
        self.compute(move || {
            let known = expected.is_some();
            let expected = expected.unwrap_or_else(|| NOBODY.clone());
            work.compared.fetch_add(1, Ordering::Relaxed);
            verify(&password, &expected) && known
        })
        .await
    }

    /// How many passwords were compared with hashes so far.
    #[cfg(test)]
    pub(super) fn compared(&self) -> u64 {
        self.0.compared.load(Ordering::Relaxed)
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let failed = |error: &dyn std::fmt::Display| ReadError::Failed(format!("no hash: {error}"));
        let (done, outcome) = oneshot::channel();
        let job = move || {
            // Nobody waits for it where the request was given up.
            if !done.is_closed() {
                let _given_up = done.send(work());
            }
        };
        let queue = self.0.queue.get_or_init(start_threads);
        queue.send(Box::new(job)).map_err(|_no_thread| failed(&"there is no thread for it"))?;
        outcome.await.map_err(|error| failed(&error))
    }
}

/// Computes a hash in memory that the thread keeps for the next one. The allocator would not return memory
/// that is allocated for each hash.
fn derive(argon2: &Argon2<'_>, password: &str, salt: &[u8], out: &mut [u8]) -> argon2::Result<()> {
    thread_local!(static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) });
    MEMORY.with_borrow_mut(|memory| {
        memory.resize(argon2.params().block_count(), Block::new());
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)
    })
}

fn hash(password: &str) -> Result<PasswordHash, ReadError> {
    let failed =
        |error: &dyn std::fmt::Display| ReadError::Failed(format!("the password cannot be hashed: {error}"));
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut salt).map_err(|error| failed(&error))?;
    let argon2 = Argon2::default();
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    derive(&argon2, password, &salt, &mut hash).map_err(|error| failed(&error))?;
    let hash = phc::PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(|error| failed(&error))?,
        salt: Some(Salt::new(&salt).map_err(|error| failed(&error))?),
        hash: Some(Output::new(&hash).map_err(|error| failed(&error))?),
    };
    Ok(PasswordHash(hash.to_string()))
}

fn verify(password: &str, expected: &PasswordHash) -> bool {
    let computed = || {
        let expected = phc::PasswordHash::new(&expected.0).ok()?;
        let (salt, hash) = (expected.salt.as_ref()?, expected.hash.as_ref()?);
        let algorithm = Algorithm::try_from(expected.algorithm.as_str()).ok()?;
        let version = Version::try_from(expected.version?).ok()?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&expected).ok()?);
        let mut out = vec![0; hash.len()];
        derive(&argon2, password, salt, &mut out).ok()?;
        // In constant time, as every comparison of an `Output`.
        Some(Output::new(&out).ok()? == *hash)
    };
    computed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let one = hash("correct horse battery").unwrap();
        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.0);
        assert_ne!(one, hash("correct horse battery").unwrap(), "each has a separate salt");
        assert!(verify("correct horse battery", &one));
        assert!(!verify("correct horse batterY", &one));
        assert!(!verify("", &PasswordHash(String::new())));
    }

    #[test]
    fn there_is_something_to_compare_with_where_there_is_no_user() {
        // A hash of the same cost, or who asks could tell by the time it takes.
        assert!(NOBODY.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn nothing_shows_a_password() {
        let password = Password::new("correct horse battery").unwrap();
        assert!(!format!("{password:?}").contains("horse"));
    }

    #[test]
    fn passwords_have_a_length() {
        assert_eq!(Password::new("short"), Err(PasswordError::TooShort(5)));
        assert_eq!(Password::new(&"x".repeat(257)), Err(PasswordError::TooLong(257)));
        assert!(Password::new("ä".repeat(12).as_str()).is_ok());
    }
}
