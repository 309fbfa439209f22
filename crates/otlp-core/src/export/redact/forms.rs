//! The forms in which a server may quote a secret.

use percent_encoding::percent_decode_str;

/// The secret, and those parts of it that are secret on their own.
pub(super) fn of(secret: &str) -> Vec<String> {
    let secret = secret.trim();
    let mut forms = vec![secret.to_owned()];
    if let Some((scheme, token)) = secret.split_once([' ', '\t'])
        && is_word(scheme)
    {
        forms.push(token.trim().to_owned());
        if scheme.eq_ignore_ascii_case("basic") {
            forms.extend(credentials(token.trim()));
        }
    }
    forms.extend(pair_values(secret).map(str::to_owned));
    for form in forms.clone() {
        // Servers leave the padding of base64 out, and decode what was encoded twice.
        forms.push(form.trim_end_matches('=').to_owned());
        forms.push(percent_decode_str(&form).decode_utf8_lossy().into_owned());
    }
    forms.retain(|form| !form.is_empty());
    forms
}

/// `user:password` and both of them alone, from a `Basic` token.
fn credentials(token: &str) -> Vec<String> {
    let Some(decoded) = from_base64(token).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Vec::new();
    };
    let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    vec![user.to_owned(), password.to_owned(), decoded]
}

/// The values in `name=value; name="value"`, as cookies and `Digest` have them.
fn pair_values(secret: &str) -> impl Iterator<Item = &str> {
    let pairs = secret.split([' ', '\t', ',', ';', '&']).filter_map(|pair| pair.split_once('='));
    pairs.map(|(_, value)| value.trim_matches(['"', '=']))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Base64, with or without padding, of either alphabet. `None` when it is something else.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut word, mut bits) = (0u32, 0u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        word = (word << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((word >> bits) & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_secret_without_its_scheme() {
        let forms = of("Bearer s3cr3t-tok");
        assert!(forms.contains(&"Bearer s3cr3t-tok".to_owned()), "{forms:?}");
        assert!(forms.contains(&"s3cr3t-tok".to_owned()), "{forms:?}");
        assert!(!forms.contains(&"Bearer".to_owned()), "{forms:?}");
    }

    #[test]
    fn a_basic_token_is_decoded() {
        let forms = of("Basic dXNlcjpodW50ZXIy");
        for form in ["dXNlcjpodW50ZXIy", "user:hunter2", "hunter2", "user"] {
            assert!(forms.contains(&form.to_owned()), "{form}: {forms:?}");
        }
        assert_eq!(from_base64("aGk="), Some(b"hi".to_vec()));
        assert_eq!(from_base64("aGk"), Some(b"hi".to_vec()));
        assert_eq!(from_base64("not base64"), None);
    }

    #[test]
    fn the_values_of_pairs_are_secrets_of_their_own() {
        let forms = of("session=abcdef; theme=\"dark\"");
        for form in ["abcdef", "dark"] {
            assert!(forms.contains(&form.to_owned()), "{form}: {forms:?}");
        }
    }

    #[test]
    fn nothing_has_no_form() {
        assert_eq!(of(" "), Vec::<String>::new());
    }
}
