//! What an exporter says: a name and a password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otlp_core::export::{Headers, Secret};
use parking_lot::RwLock;

use crate::component::BoxError;

/// A name and a password, which may change.
#[derive(Debug)]
pub(super) struct Client(RwLock<(String, Secret)>);

impl Client {
    pub(super) fn new(name: String, password: Secret) -> Self {
        Self(RwLock::new((name, password)))
    }

    pub(super) fn set_name(&self, name: &str) -> Result<(), String> {
        check_name(name)?;
        name.clone_into(&mut self.0.write().0);
        Ok(())
    }

    pub(super) fn set_password(&self, password: &str) {
        self.0.write().1 = password.into();
    }

    pub(super) fn headers(&self) -> Result<Headers, BoxError> {
        let pair = {
            let pair = self.0.read();
            STANDARD.encode(format!("{}:{}", pair.0, pair.1.expose()))
        };
        let mut headers = Headers::new();
        headers.insert("authorization", format!("Basic {pair}"))?;
        Ok(headers)
    }
}

/// The first colon ends the name.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    match name.contains(':') {
        true => Err("a name has no colon in it".to_owned()),
        false => Ok(()),
    }
}
