//! The propagators behind a pipe, for `scripts/interop-propagators.sh`.
//!
//! Reads a line of JSON per question, `{"propagators": "b3", "headers": {"b3": "…"}}`, and answers with a
//! line: what was extracted, and what is sent on from there.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::{self, Write};

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{Injector as _, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use otlp_sdk::otlp_core::export::Env;
use otlp_sdk::propagation::Propagators;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    for question in io::stdin().lines() {
        let answer = answer(&serde_json::from_str(&question?)?)?;
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

fn answer(question: &Value) -> Result<Value, Box<dyn Error>> {
    let field = |name| question.get(name).ok_or_else(|| format!("no {name:?} in {question}"));
    let names = field("propagators")?.as_str().ok_or("propagators are a text")?;
    let received: HashMap<String, String> = serde_json::from_value(field("headers")?.clone())?;
    // Names in lower case, as a map of headers has them.
    let mut headers = HashMap::new();
    received.into_iter().for_each(|(name, value)| headers.set(&name, value));

    let env = Env::from_pairs([("OTEL_PROPAGATORS", names)]);
    let mut reader = env.reader();
    let propagators = Propagators::from_env(&mut reader);
    if let Some(warning) = reader.into_warnings().first() {
        return Err(warning.to_string().into());
    }
    let cx = propagators.extract_with_context(&Context::new(), &headers);
    let mut sent = HashMap::new();
    propagators.inject_context(&cx, &mut sent);

    let span = cx.span();
    let span_context = span.span_context();
    let baggage: BTreeMap<_, _> = cx
        .baggage()
        .iter()
        .map(|(name, (value, _))| (name.to_string(), value.to_string()))
        .collect();
    Ok(json!({
        "trace_id": span_context.trace_id().to_string(),
        "span_id": span_context.span_id().to_string(),
        "sampled": span_context.is_sampled(),
        "baggage": baggage,
        "sent": sent,
    }))
}
