//! `basicauth`: names and passwords, checked by receivers or sent by exporters.

mod client;
mod htpasswd;
mod md5_crypt;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use otlp_core::export::{HeaderProvider, Secret};
use serde::Deserialize;

use self::client::Client;
use self::htpasswd::Users;
use self::server::Server;
use super::bearer_token::secret;
use super::watched::Watched;
use crate::component::{BoxError, BoxFuture, Extension, Host, Running};
use crate::config::{ConfigError, Node, Unsupported};
use crate::receivers::otlp::Authenticator;

/// Names and passwords: the Go collector's `basicauth`, with one of its two sections.
///
/// ```yaml
/// extensions:
///   basicauth/server:
///     htpasswd:
///       file: /etc/collector/users
///   basicauth/client:
///     client_auth:
///       username: ann
///       password: ${env:PASSWORD}
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BasicAuthSettings {
    /// Who may send to a receiver.
    pub htpasswd: Option<HtpasswdSettings>,
    /// Who an exporter says it is.
    pub client_auth: Option<ClientAuthSettings>,
}

/// `htpasswd`: lines of a name, a colon, and what the password is compared with.
///
/// That is a hash of bcrypt (`$2y$`, `$2a$`, `$2b$`, with a cost of 16 at most), of Apache's MD5 (`$apr1$`, `$1$`),
/// of SHA-1 (`{SHA}`, `{SSHA}`), or the password itself. Of a name that stands twice the last line counts, and
/// lines of `inline` go above those of `file`.
///
/// A bcrypt hash is compared once for each name, on a thread where that holds nothing up, one at a time; then the
/// password is known by a keyed SHA-256 that stays in memory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HtpasswdSettings {
    /// A file. It is read again every ten seconds.
    pub file: Option<PathBuf>,
    /// The lines themselves.
    #[serde(deserialize_with = "secret")]
    pub inline: Option<Secret>,
}

/// `client_auth`: a name and a password, or files that hold them, which go above and are read again every ten
/// seconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientAuthSettings {
    /// The name.
    pub username: String,
    /// A file with the name.
    pub username_file: Option<PathBuf>,
    /// The password.
    #[serde(deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    aws_secrets_manager: Option<Unsupported>,
}

impl BasicAuthSettings {
    /// Reads and checks what stands under `basicauth`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place and never with a password.
    pub fn read(node: &Node) -> Result<Self, ConfigError> {
        let settings: Self = if node.is_null() { Self::default() } else { node.read()? };
        match (&settings.htpasswd, &settings.client_auth) {
            (Some(htpasswd), None) => {
                if htpasswd.file.is_none() && htpasswd.inline.is_none() {
                    let error = ConfigError::new("nobody is named; accepted: file, inline");
                    return Err(error.under("htpasswd"));
                }
                htpasswd.check().map_err(|error| error.under("inline").under("htpasswd"))?;
            }
            (None, Some(client)) => {
                client::check_name(&client.username).map_err(|error| {
                    ConfigError::new(error).under("username").under("client_auth")
                })?;
            }
            (Some(_), Some(_)) => {
                let message = "htpasswd and client_auth are set; an extension is for one of them";
                return Err(ConfigError::new(message));
            }
            (None, None) => {
                let message = "no credentials are set; accepted: htpasswd, client_auth";
                return Err(ConfigError::new(message));
            }
        }
        Ok(settings)
    }

    pub(super) fn into_extension(self) -> Result<BasicAuth, ConfigError> {
        let server = Arc::new(Server::default());
        let client = self.client_auth.as_ref().map(|it| {
            let password = it.password.clone().unwrap_or_else(|| "".into());
            Arc::new(Client::new(it.username.clone(), password))
        });
        Ok(BasicAuth { settings: self, server, client })
    }
}

impl HtpasswdSettings {
    fn check(&self) -> Result<(), ConfigError> {
        self.users("").map(drop).map_err(ConfigError::new)
    }

    /// The users of a file's text, and above them those that stand here.
    fn users(&self, text: &str) -> Result<Users, String> {
        let inline = self.inline.as_ref().map_or("", Secret::expose);
        Ok(Users::read(text)?.with(Users::read(inline)?))
    }
}

/// The extension.
#[derive(Debug)]
pub(super) struct BasicAuth {
    settings: BasicAuthSettings,
    server: Arc<Server>,
    client: Option<Arc<Client>>,
}

impl Extension for BasicAuth {
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        let server = Arc::clone(&self.server) as Arc<dyn Authenticator>;
        self.settings.htpasswd.is_some().then_some(server)
    }

    fn credentials(&self) -> Option<HeaderProvider> {
        let client = Arc::clone(self.client.as_ref()?);
        Some(HeaderProvider::new(move || std::future::ready(client.headers())))
    }

    fn start<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        Box::pin(async move {
            let watched = Watched::default();
            if let Some(htpasswd) = &self.settings.htpasswd {
                self.start_server(htpasswd, &watched).await?;
            }
            if let (Some(settings), Some(client)) = (&self.settings.client_auth, &self.client) {
                start_client(settings, client, &watched).await?;
            }
            Ok(Box::new(watched) as Box<dyn Running>)
        })
    }
}

impl BasicAuth {
    async fn start_server(
        &self,
        settings: &HtpasswdSettings,
        watched: &Watched,
    ) -> Result<(), BoxError> {
        let Some(file) = &settings.file else {
            self.server.set(settings.users("")?);
            return Ok(());
        };
        let (server, settings) = (Arc::clone(&self.server), settings.clone());
        watched.add(file, move |text| settings.users(text).map(|users| server.set(users))).await
    }
}

async fn start_client(
    settings: &ClientAuthSettings,
    client: &Arc<Client>,
    watched: &Watched,
) -> Result<(), BoxError> {
    if let Some(file) = &settings.username_file {
        let client = Arc::clone(client);
        watched.add(file, move |text| client.set_name(text.trim())).await?;
    }
    if let Some(file) = &settings.password_file {
        let client = Arc::clone(client);
        watched
            .add(file, move |text| {
                client.set_password(text.trim_end_matches(['\r', '\n']));
                Ok(())
            })
            .await?;
    }
    Ok(())
}
