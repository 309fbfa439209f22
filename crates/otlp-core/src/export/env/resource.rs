//! `OTEL_RESOURCE_ATTRIBUTES` (trap 11).

use percent_encoding::percent_decode_str;

use super::{ConfigWarning, EnvReader};

impl EnvReader<'_> {
    /// The attributes in `OTEL_RESOURCE_ATTRIBUTES`, percent-decoded and in order. One bad pair spoils the whole,
    /// as the specification has it: there is a warning, and no attributes.
    ///
    /// ```
    /// use otlp_core::export::Env;
    ///
    /// let env = Env::from_pairs([("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb,region=eu")]);
    /// let attributes = env.reader().resource_attributes();
    /// assert_eq!(attributes, [("team", "a,b"), ("region", "eu")].map(|(k, v)| (k.into(), v.into())));
    /// ```
    pub fn resource_attributes(&mut self) -> Vec<(String, String)> {
        match self.string(RESOURCE_ATTRIBUTES).map(parse) {
            None => Vec::new(),
            Some(Ok(attributes)) => attributes,
            Some(Err(problem)) => {
                self.warn(ConfigWarning::new(
                    RESOURCE_ATTRIBUTES,
                    problem,
                    ACCEPTED,
                    &"none of it",
                ));
                Vec::new()
            }
        }
    }
}

/// Reads `key=value,key=value`. Empty members are no pairs and do no harm.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = text.split(',').map(str::trim).enumerate();
    pairs
        .filter(|(_, pair)| !pair.is_empty())
        .map(|(at, pair)| parse_pair(pair).map_err(|problem| format!("pair {} {problem}", at + 1)))
        .collect()
}

fn parse_pair(pair: &str) -> Result<(String, String), &'static str> {
    let (key, value) = pair.split_once('=').ok_or("has no `=`")?;
    if value.contains('=') {
        return Err("has a second `=`");
    }
    let key = decode(key.trim()).ok_or("has a key that is not percent-encoded UTF-8")?;
    let value = decode(value.trim()).ok_or("has a value that is not percent-encoded UTF-8")?;
    if key.is_empty() {
        return Err("has no key");
    }
    Ok((key, value))
}

/// Percent-decoding without mercy: each `%` is followed by two hex digits, and it all is UTF-8.
fn decode(text: &str) -> Option<String> {
    let escape = |rest: &str| match rest.as_bytes() {
        [high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    let well_formed = text.split('%').skip(1).all(escape);
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    well_formed.then(|| decoded.into_owned())
}

const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const ACCEPTED: &str = "key=value,key=value with `,` `=` `%` inside them as %2C %3D %25";
