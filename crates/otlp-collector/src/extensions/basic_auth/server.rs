//! Who may send to a receiver: checked by `Authorization: Basic …`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use parking_lot::{Mutex, RwLock};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::htpasswd::{Stored, Users};
use crate::component::BoxFuture;
use crate::receivers::otlp::{Authenticator, Credentials, Denied, scheme};

/// The users that hold now, and which of their passwords are known. Without users, nobody is let in.
#[derive(Clone)]
pub(super) struct Server(Arc<State>);

struct State {
    users: RwLock<Users>,
    /// For each name whose password was compared with a slow hash, what it was compared with and the password's
    /// digest: no more of them than there are users.
    known: Mutex<HashMap<String, (Stored, Digest)>>,
    key: [u8; 32],
    /// Comparing takes a whole core, so one at a time does it, however many ask.
    core: Semaphore,
    waiting: Semaphore,
}

type Digest = [u8; 32];

impl Default for Server {
    fn default() -> Self {
        Self(Arc::new(State {
            users: RwLock::default(),
            known: Mutex::default(),
            key: rand::random(),
            core: Semaphore::new(1),
            waiting: Semaphore::new(WAITING_MAX),
        }))
    }
}

impl Server {
    pub(super) fn set(&self, users: Users) {
        *self.0.users.write() = users;
        self.0.known.lock().clear();
    }
}

impl Authenticator for Server {
    fn authenticate(&self, request: &Credentials<'_>) -> Result<(), Denied> {
        let given = Given::of(request).ok_or(Denied::Unknown)?;
        let users = self.0.users.read();
        let stored = users.stored(&given.name).ok_or(Denied::Unknown)?;
        let is_right = match stored.is_slow() {
            true => self.0.knows(&given, stored),
            false => stored.matches(&given.password),
        };
        if is_right { Ok(()) } else { Err(Denied::Unknown) }
    }

    fn look_closer(
        &self,
        request: &Credentials<'_>,
    ) -> Option<BoxFuture<'static, Result<(), Denied>>> {
        let given = Given::of(request)?;
        let stored = self.0.users.read().stored(&given.name).filter(|it| it.is_slow()).cloned()?;
        let state = Arc::clone(&self.0);
        Some(Box::pin(async move { state.compare(given, stored).await }))
    }

    fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static("Basic realm=\"otlp\", charset=\"UTF-8\"")
    }
}

impl State {
    /// Whether the password was found right before.
    fn knows(&self, given: &Given, stored: &Stored) -> bool {
        let digest = self.digest(given);
        let known = self.known.lock();
        known
            .get(&given.name)
            .is_some_and(|(of, known)| of.is_same_slow(stored) && bool::from(known.ct_eq(&digest)))
    }

    async fn compare(self: Arc<Self>, given: Given, stored: Stored) -> Result<(), Denied> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Denied::Busy)?;
        let core = timeout(PATIENCE, self.core.acquire()).await;
        let _core = core.map_err(|_| Denied::Busy)?.map_err(|_| Denied::Busy)?;
        // Whoever was before may have asked the same.
        if self.knows(&given, &stored) {
            return Ok(());
        }
        let compared =
            spawn_blocking(move || stored.matches(&given.password).then_some((given, stored)));
        match compared.await {
            Ok(Some((given, stored))) => {
                let digest = self.digest(&given);
                // Only what still holds: the file may have changed since.
                let users = self.users.read();
                if users.stored(&given.name).is_some_and(|now| now.is_same_slow(&stored)) {
                    self.known.lock().insert(given.name, (stored, digest));
                }
                Ok(())
            }
            Ok(None) => Err(Denied::Unknown),
            Err(_) => Err(Denied::Busy),
        }
    }

    fn digest(&self, given: &Given) -> Digest {
        Sha256::new().chain_update(self.key).chain_update(&given.password).finalize().into()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

/// What a request says.
struct Given {
    name: String,
    password: Vec<u8>,
}

impl Given {
    fn of(request: &Credentials<'_>) -> Option<Self> {
        let pair = STANDARD.decode(scheme(request.headers, "basic")?).ok()?;
        let at = pair.iter().position(|byte| *byte == b':')?;
        let (name, password) = pair.split_at_checked(at)?;
        let name = std::str::from_utf8(name).ok()?.to_owned();
        Some(Self { name, password: password.get(1..)?.to_vec() })
    }
}

/// Requests that wait for a slow hash at once.
const WAITING_MAX: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
