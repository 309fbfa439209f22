//! `bearertokenauth`: a token in a header, checked by receivers and sent by exporters.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use otlp_core::export::{HeaderProvider, Headers, Secret};
use parking_lot::RwLock;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::watched::Watched;
use crate::component::{BoxError, BoxFuture, Extension, Host, Running};
use crate::config::{ConfigError, Node};
use crate::receivers::otlp::{Authenticator, Credentials, Denied, one_of};

/// A token in a header: the Go collector's `bearertokenauth`.
///
/// A receiver that names it takes requests with any of the tokens; an exporter sends the first.
///
/// ```yaml
/// extensions:
///   bearertokenauth:
///     filename: /run/secrets/tokens
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BearerTokenSettings {
    /// The header. Default `Authorization`.
    pub header: String,
    /// What stands before the token, with a space between; empty for nothing. Default `Bearer`. In requests it
    /// may be written in any case.
    pub scheme: String,
    /// The token.
    #[serde(deserialize_with = "secret")]
    pub token: Option<Secret>,
    /// Several tokens.
    #[serde(deserialize_with = "secrets")]
    pub tokens: Vec<Secret>,
    /// A file with a token on each line, which goes above the others. It is read again every ten seconds.
    pub filename: Option<PathBuf>,
}

impl Default for BearerTokenSettings {
    fn default() -> Self {
        Self {
            header: "Authorization".to_owned(),
            scheme: "Bearer".to_owned(),
            token: None,
            tokens: Vec::new(),
            filename: None,
        }
    }
}

impl BearerTokenSettings {
    /// Reads and checks what stands under `bearertokenauth`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place and never with a token.
    pub fn read(node: &Node) -> Result<Self, ConfigError> {
        let settings: Self = if node.is_null() { Self::default() } else { node.read::<Self>()? };
        settings.tokens()?;
        let header = Headers::new().insert(&settings.header, "x");
        header.map_err(|error| ConfigError::new(error.to_string()).under("header"))?;
        Ok(settings)
    }

    /// The tokens that are set, without those of the file.
    fn tokens(&self) -> Result<Vec<Secret>, ConfigError> {
        let tokens = match (&self.token, self.tokens.as_slice()) {
            (Some(_), [_, ..]) => {
                return Err(ConfigError::new("token and tokens are set; one of them is needed"));
            }
            (Some(token), _) => vec![token.clone()],
            (None, tokens) => tokens.to_vec(),
        };
        if tokens.is_empty() && self.filename.is_none() {
            return Err(ConfigError::new("no token is set; accepted: token, tokens, filename"));
        }
        for token in &tokens {
            check(token.expose()).map_err(|error| ConfigError::new(error).under("token"))?;
        }
        Ok(tokens)
    }

    pub(super) fn into_extension(self) -> Result<BearerToken, ConfigError> {
        let tokens = self.tokens()?;
        let header = HeaderName::try_from(self.header.as_str())
            .map_err(|_| ConfigError::new("it is no name of a header").under("header"))?;
        let tokens = if self.filename.is_some() { Vec::new() } else { tokens };
        let (scheme, tokens) = (self.scheme.clone(), RwLock::new(tokens));
        Ok(BearerToken { tokens: Arc::new(Tokens { header, scheme, tokens }), settings: self })
    }
}

/// A token has characters that a header can carry.
fn check(token: &str) -> Result<(), String> {
    match !token.is_empty() && token.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        true => Ok(()),
        false => Err("a token is empty, or has characters that a header cannot carry".to_owned()),
    }
}

/// The extension.
#[derive(Debug)]
pub(super) struct BearerToken {
    settings: BearerTokenSettings,
    tokens: Arc<Tokens>,
}

impl Extension for BearerToken {
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        Some(Arc::clone(&self.tokens) as Arc<dyn Authenticator>)
    }

    fn credentials(&self) -> Option<HeaderProvider> {
        let tokens = Arc::clone(&self.tokens);
        Some(HeaderProvider::new(move || std::future::ready(tokens.headers())))
    }

    fn start<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        Box::pin(async move {
            let watched = Watched::default();
            if let Some(file) = &self.settings.filename {
                if self.settings.token.is_some() || !self.settings.tokens.is_empty() {
                    let text = "filename is set, so token and tokens have no effect";
                    tracing::warn!(target: "otlp_collector", extension = %host.id(), "{text}");
                }
                let tokens = Arc::clone(&self.tokens);
                watched.add(file, move |text| tokens.take(text)).await?;
            }
            Ok(Box::new(watched) as Box<dyn Running>)
        })
    }
}

/// The tokens that hold now. Without one, nobody is let in and nothing is sent.
struct Tokens {
    header: HeaderName,
    scheme: String,
    tokens: RwLock<Vec<Secret>>,
}

impl Tokens {
    /// Takes the lines of a file.
    fn take(&self, text: &str) -> Result<(), String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let tokens: Vec<_> = lines.map(Secret::from).collect();
        if tokens.is_empty() {
            return Err("there is no token in it".to_owned());
        }
        tokens.iter().try_for_each(|token| check(token.expose()))?;
        *self.tokens.write() = tokens;
        Ok(())
    }

    fn headers(&self) -> Result<Headers, BoxError> {
        let tokens = self.tokens.read();
        let token = tokens.first().ok_or("there is no token")?.expose();
        let value = match self.scheme.as_str() {
            "" => token.to_owned(),
            scheme => format!("{scheme} {token}"),
        };
        let mut headers = Headers::new();
        headers.insert(self.header.as_str(), value)?;
        Ok(headers)
    }

    /// What stands for the token in the only header of its name.
    fn given<'h>(&self, headers: &'h http::HeaderMap) -> Option<&'h [u8]> {
        let mut values = headers.get_all(&self.header).iter();
        let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
        if self.scheme.is_empty() {
            return Some(value.trim_ascii());
        }
        let (scheme, rest) = value.split_at_checked(self.scheme.len())?;
        let is_scheme = scheme.eq_ignore_ascii_case(self.scheme.as_bytes());
        rest.strip_prefix(b" ").filter(|_| is_scheme).map(<[u8]>::trim_ascii)
    }
}

impl Authenticator for Tokens {
    fn authenticate(&self, request: &Credentials<'_>) -> Result<(), Denied> {
        let given = self.given(request.headers).ok_or(Denied::Unknown)?;
        one_of(self.tokens.read().iter().map(Secret::expose), given)
    }

    fn challenge(&self) -> HeaderValue {
        HeaderValue::try_from(&self.scheme)
            .ok()
            .filter(|scheme| !scheme.is_empty())
            .unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Text that is not shown.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(text).filter(|text| !text.is_empty()).map(Secret::from))
}

/// Several texts, or one, of which none is shown, also where it is none.
fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<Secret>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of tokens, each in quotes")
        }

        fn visit_str<E>(self, token: &str) -> Result<Self::Value, E> {
            Ok(vec![token.into()])
        }

        fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
            let mut tokens = Vec::new();
            while let Some(token) = list.next_element::<String>()? {
                tokens.push(token.into());
            }
            Ok(tokens)
        }
    }

    deserializer.deserialize_any(Texts)
}
