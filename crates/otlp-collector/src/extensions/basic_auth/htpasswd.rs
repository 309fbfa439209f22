//! Lines of names and what their passwords are compared with.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otlp_core::export::Secret;
use otlp_core::export::text::printable;
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use super::md5_crypt;

/// Names with what their passwords are compared with.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<String, Stored>);

/// What a password is compared with.
#[derive(Clone)]
pub(super) enum Stored {
    Plain(Secret),
    /// SHA-1 of the password and the salt, which may be empty.
    Sha1 {
        digest: [u8; 20],
        salt: Vec<u8>,
    },
    Md5 {
        magic: &'static str,
        salt: String,
        hash: String,
    },
    Bcrypt(String),
}

impl Users {
    /// Reads lines; those that are empty or begin with `#` say nothing.
    ///
    /// # Errors
    ///
    /// Names the line and what is accepted, and no password.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut users = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = at.saturating_add(1);
            let Some((name, stored)) = line.split_once(':') else {
                return Err(format!("line {place}: there is no colon behind the name"));
            };
            let stored = Stored::read(stored)
                .map_err(|error| format!("line {place}: user \"{}\": {error}", printable(name)))?;
            users.insert(name.to_owned(), stored);
        }
        Ok(Self(users))
    }

    /// These and others, which go above.
    pub(super) fn with(mut self, over: Self) -> Self {
        self.0.extend(over.0);
        self
    }

    pub(super) fn stored(&self, name: &str) -> Option<&Stored> {
        self.0.get(name)
    }
}

impl Stored {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("{SHA}") {
            return sha1(rest, |salt| salt == 0);
        }
        if let Some(rest) = text.strip_prefix("{SSHA}") {
            return sha1(rest, |salt| salt > 0);
        }
        if let Some(magic) = MD5.into_iter().find(|magic| text.starts_with(magic)) {
            let rest = text.get(magic.len()..).unwrap_or_default();
            let (salt, hash) = rest
                .split_once('$')
                .filter(|(salt, hash)| salt.len() <= 8 && hash.len() == 22)
                .ok_or("it is no whole hash of MD5")?;
            return Ok(Self::Md5 { magic, salt: salt.to_owned(), hash: hash.to_owned() });
        }
        if BCRYPT.into_iter().any(|it| text.starts_with(it)) {
            let cost = text.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
            return match cost {
                Some(4..=COST_MAX) if text.len() == 60 => Ok(Self::Bcrypt(text.to_owned())),
                Some(cost) if text.len() == 60 => {
                    Err(format!("the cost of bcrypt is {cost}; accepted: 4 to {COST_MAX}"))
                }
                _ => Err("it is no whole hash of bcrypt".to_owned()),
            };
        }
        // To take a hash for a password would let in whoever has the file.
        if OTHERS.into_iter().any(|it| text.starts_with(it)) {
            let accepted = "bcrypt, $apr1$, $1$, {SHA}, {SSHA} and plain text";
            return Err(format!(
                "the hash is of a kind that is not supported; accepted: {accepted}"
            ));
        }
        match text {
            "" => Err("the password is empty".to_owned()),
            plain => Ok(Self::Plain(plain.into())),
        }
    }

    /// Whether both are the same hash of a slow kind.
    pub(super) fn is_same_slow(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Bcrypt(one), Self::Bcrypt(other)) if one == other)
    }

    /// Whether comparing takes so long that it must be done elsewhere.
    pub(super) const fn is_slow(&self) -> bool {
        matches!(self, Self::Bcrypt(_))
    }

    /// Compares, in a time that does not depend on how much of the password is right.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        match self {
            Self::Plain(known) => known.expose().as_bytes().ct_eq(password).into(),
            Self::Sha1 { digest, salt } => {
                let given = Sha1::new().chain_update(password).chain_update(salt).finalize();
                digest.as_slice().ct_eq(given.as_slice()).into()
            }
            Self::Md5 { magic, salt, hash } => {
                let given = md5_crypt::hash(magic, salt, password);
                hash.as_bytes().ct_eq(given.as_bytes()).into()
            }
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        }
    }
}

fn sha1(text: &str, is_salt: impl Fn(usize) -> bool) -> Result<Stored, String> {
    let bytes = STANDARD.decode(text).map_err(|_| "the hash is not base64")?;
    let whole = bytes.split_first_chunk::<20>().filter(|(_, salt)| is_salt(salt.len()));
    let (digest, salt) = whole.ok_or("it is no whole hash of SHA-1")?;
    Ok(Stored::Sha1 { digest: *digest, salt: salt.to_vec() })
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

const MD5: [&str; 2] = ["$apr1$", "$1$"];
const BCRYPT: [&str; 4] = ["$2a$", "$2b$", "$2x$", "$2y$"];
/// What `crypt` and others have beside these.
const OTHERS: [&str; 10] =
    ["$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2", "$scrypt", "$pbkdf2", "{SHA", "{PBKDF2"];
/// About five seconds.
const COST_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn has(line: &str, password: &str) -> bool {
        let users = Users::read(line).unwrap();
        users.stored("ann").is_some_and(|stored| stored.matches(password.as_bytes()))
    }

    #[test]
    fn hashes_of_other_programs_are_matched() {
        for (stored, password) in [
            ("s3cret", "s3cret"),
            ("a:b", "a:b"),
            // Python's hashlib.
            ("{SHA}/vNB+F2HQ559kaLUZbmHHvZrXpg=", "s3cret"),
            ("{SSHA}IbkcqsWcmZ7aW6HhUhnW72iJmihzYWx0eQ==", "s3cret"),
            // `openssl passwd`.
            ("$apr1$ab12cd34$8jQK0AG0o05DgFEQpJfnB1", ""),
            ("$apr1$ab12cd34$oBXJc9v0.iOO6QLbx50QT.", "a"),
            ("$apr1$ab12cd34$VGyaX05LjdnTOp0Kpx.Yd.", "s3cret"),
            ("$apr1$ab12cd34$mgXeNVqiHSrZPf1wbDvNb0", "a longer password than sixteen"),
            ("$1$xy$Xyayek0k82dUrxDxHwya5.", "s3cret"),
            ("$1$xy$UuvdET2Kb6UQLJLqkQ4wF/", "a longer password than sixteen"),
            // `crypt` of the C library.
            ("$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK", "s3cret"),
        ] {
            let line = format!("ann:{stored}");
            assert!(has(&line, password), "{stored}");
            assert!(!has(&line, &format!("{password}x")) && !has(&line, "other"), "{stored}");
        }
    }

    #[test]
    fn the_last_line_of_a_name_counts_and_others_go_above() {
        let users = Users::read("# users\n\nann:one\nbob:x\r\nann:two\n").unwrap();
        let users = users.with(Users::read("bob:y").unwrap());
        let is = |name, password: &str| users.stored(name).unwrap().matches(password.as_bytes());
        assert!(is("ann", "two") && !is("ann", "one") && is("bob", "y") && !is("bob", "x"));
        assert!(users.stored("carl").is_none());
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line_and_never_shown() {
        for (text, wrong) in [
            ("ok:x\nS3CRET", "line 2: there is no colon behind the name"),
            ("ann:", "line 1: user \"ann\": the password is empty"),
            ("ann:$6$S3CRET", "not supported; accepted: bcrypt"),
            ("ann:{SHA256}S3CRET", "not supported; accepted: bcrypt"),
            ("ann:{SHA}S3CRET", "is"),
            (
                "ann:$2y$31$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK",
                "cost of bcrypt is 31",
            ),
            ("ann:$2y$05$S3CRET", "no whole hash of bcrypt"),
            ("ann:$apr1$S3CRET", "no whole hash of MD5"),
        ] {
            let error = Users::read(text).unwrap_err();
            assert!(error.contains(wrong) && !error.contains("S3CRET"), "{error}");
        }
        assert!(!format!("{:?}", Users::read("ann:S3CRET").unwrap()).contains("S3CRET"));
    }
}
