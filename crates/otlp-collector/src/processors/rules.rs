//! Rules made in code, as a processor.

use std::sync::Arc;

use otlp_core::Signal;

use super::edit::EditProcessor;
use crate::component::{BoxError, Host, Node, Processor};
use crate::consumer::SharedConsumer;
use crate::edit::{Plan, Rule};

/// Rules made in code, as a processor of a [pipeline](crate::pipeline::Pipeline): the same for each signal.
///
/// ```
/// use otlp_collector::edit::{Action, Effect, Literal, Rule, Selector, Source, Target};
/// use otlp_collector::pipeline::Pipeline;
/// use otlp_collector::processors::Rules;
///
/// /// Says of every resource where it was seen.
/// let env = Rule {
///     target: Target::Resource,
///     selector: Selector::default(),
///     effect: Effect::Edit(vec![Action::upsert("env", Source::value(&Literal::from("test")))]),
/// };
/// let builder = Pipeline::builder().processor("resource", Rules::new([env]));
/// # drop(builder);
/// ```
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// A processor of these rules, in this order.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(rules.into_iter().collect())
    }
}

impl Processor for Rules {
    fn start(
        &self,
        _host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        Ok(Arc::new(EditProcessor::new(Plan::new(signal, self.0.clone()), next)))
    }
}
