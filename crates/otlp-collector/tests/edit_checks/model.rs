//! Edits and filters as they are meant, straight on the structs of prost.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use otlp_collector::edit::{
    Action, AttributeTest, ConvertedType, Criteria, Effect, Literal, Pattern, Rule, Selector,
    Source, Target, Texts, ValueTest,
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::text::{plain, text};

#[derive(Clone, Debug)]
pub(crate) struct RuleModel {
    pub(crate) target: Target,
    pub(crate) selector: Selector,
    /// `None` to keep.
    pub(crate) actions: Option<Vec<ActionModel>>,
}

#[derive(Clone, Debug)]
pub(crate) enum ActionModel {
    Insert(String, SourceModel),
    Update(String, SourceModel),
    Upsert(String, SourceModel),
    Delete(String),
    DeleteMatching(Pattern),
    Hash(String),
    HashMatching(Pattern),
    Extract(String, Pattern),
    Convert(String, ConvertedType),
}

#[derive(Clone, Debug)]
pub(crate) enum SourceModel {
    Value(Literal),
    Attribute(String, Option<Literal>),
}

impl RuleModel {
    pub(crate) fn rule(&self) -> Rule {
        let effect = match &self.actions {
            Some(actions) => Effect::Edit(actions.iter().map(ActionModel::action).collect()),
            None => Effect::Keep,
        };
        Rule { target: self.target, selector: self.selector.clone(), effect }
    }
}

impl ActionModel {
    fn action(&self) -> Action {
        match self.clone() {
            Self::Insert(key, source) => Action::insert(&key, source.source()),
            Self::Update(key, source) => Action::update(&key, source.source()),
            Self::Upsert(key, source) => Action::upsert(&key, source.source()),
            Self::Delete(key) => Action::delete(&key),
            Self::DeleteMatching(pattern) => Action::delete_matching(pattern),
            Self::Hash(key) => Action::hash(&key),
            Self::HashMatching(pattern) => Action::hash_matching(pattern),
            Self::Extract(key, pattern) => Action::extract(&key, pattern).unwrap(),
            Self::Convert(key, to) => Action::convert(&key, to),
        }
    }

    fn run(&self, attributes: &mut Vec<KeyValue>) {
        match self {
            Self::Insert(key, source) => {
                if let Some(value) = source.get(attributes)
                    && find(attributes, key).is_none()
                {
                    put(attributes, key, value);
                }
            }
            Self::Update(key, source) => {
                if let Some(value) = source.get(attributes)
                    && find(attributes, key).is_some()
                {
                    put(attributes, key, value);
                }
            }
            Self::Upsert(key, source) => {
                if let Some(value) = source.get(attributes) {
                    put(attributes, key, value);
                }
            }
            Self::Delete(key) => attributes.retain(|it| it.key != *key),
            Self::DeleteMatching(pattern) => {
                attributes.retain(|it| !pattern.is_match(it.key.as_bytes()));
            }
            Self::Hash(key) => attributes.iter_mut().filter(|it| it.key == *key).for_each(hash),
            Self::HashMatching(pattern) => {
                let is_it = |it: &&mut KeyValue| pattern.is_match(it.key.as_bytes());
                attributes.iter_mut().filter(is_it).for_each(hash);
            }
            Self::Extract(key, pattern) => extract(attributes, key, pattern),
            Self::Convert(key, to) => {
                if let Some(Some(value)) = find(attributes, key).map(|value| convert(&value, *to)) {
                    put(attributes, key, AnyValue { value: Some(value) });
                }
            }
        }
    }
}

impl SourceModel {
    fn source(&self) -> Source {
        match self {
            Self::Value(value) => Source::value(value),
            Self::Attribute(key, None) => Source::attribute(key),
            Self::Attribute(key, Some(default)) => Source::attribute(key).or(default),
        }
    }

    fn get(&self, attributes: &[KeyValue]) -> Option<AnyValue> {
        match self {
            Self::Value(value) => Some(proto(value)),
            Self::Attribute(key, default) => {
                find(attributes, key).or_else(|| default.as_ref().map(proto))
            }
        }
    }
}

fn proto(literal: &Literal) -> AnyValue {
    AnyValue::decode(&*literal.encode()).unwrap()
}

fn find(attributes: &[KeyValue], key: &str) -> Option<AnyValue> {
    let found = attributes.iter().find(|it| it.key == key)?;
    Some(found.value.clone().unwrap_or_default())
}

fn put(attributes: &mut Vec<KeyValue>, key: &str, value: AnyValue) {
    match attributes.iter_mut().find(|it| it.key == key) {
        Some(found) => found.value = Some(value),
        None => attributes.push(KeyValue { key: key.into(), value: Some(value), key_strindex: 0 }),
    }
}

fn hash(attribute: &mut KeyValue) {
    let bytes = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.as_bytes().to_vec(),
        Some(Value::BoolValue(truth)) => vec![u8::from(*truth)],
        Some(Value::IntValue(number)) => number.to_le_bytes().to_vec(),
        Some(Value::DoubleValue(number)) => number.to_le_bytes().to_vec(),
        _ => {
            attribute.value = Some(AnyValue { value: Some(Value::StringValue(String::new())) });
            return;
        }
    };
    let hex = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    attribute.value = Some(AnyValue { value: Some(Value::StringValue(hex)) });
}

fn extract(attributes: &mut Vec<KeyValue>, key: &str, pattern: &Pattern) {
    let Some(AnyValue { value: Some(Value::StringValue(text)) }) = find(attributes, key) else {
        return;
    };
    let regex = regex::Regex::new(pattern.as_str()).unwrap();
    let Some(groups) = regex.captures(&text) else { return };
    for name in regex.capture_names().flatten() {
        let group = groups.name(name).map_or("", |group| group.as_str());
        put(attributes, name, AnyValue { value: Some(Value::StringValue(group.into())) });
    }
}

fn convert(value: &AnyValue, to: ConvertedType) -> Option<Value> {
    Some(match (to, value.value.as_ref()) {
        (ConvertedType::String, Some(Value::StringValue(_))) => return None,
        (ConvertedType::String, _) => Value::StringValue(text(value)),
        (ConvertedType::Int, Some(Value::DoubleValue(number))) => Value::IntValue(*number as i64),
        (ConvertedType::Int, Some(Value::BoolValue(truth))) => Value::IntValue((*truth).into()),
        (ConvertedType::Int, Some(Value::StringValue(text))) => Value::IntValue(text.parse().ok()?),
        (ConvertedType::Double, Some(Value::IntValue(number))) => {
            Value::DoubleValue(*number as f64)
        }
        (ConvertedType::Double, Some(Value::BoolValue(truth))) => {
            Value::DoubleValue(f64::from(u8::from(*truth)))
        }
        (ConvertedType::Double, Some(Value::StringValue(text))) => {
            Value::DoubleValue(text.parse().ok()?)
        }
        _ => return None,
    })
}

/// What a selector looks at. What is not there yet is empty.
#[derive(Clone, Copy, Default)]
struct Seen<'a> {
    resource: &'a [KeyValue],
    scope: Option<&'a InstrumentationScope>,
    name: &'a str,
    kind: i32,
    status: i32,
    severity: i32,
    severity_text: &'a str,
    body: Option<&'a AnyValue>,
}

fn is_selected(selector: &Selector, seen: Seen<'_>, attributes: &[KeyValue]) -> bool {
    let is_met = |criteria: &Criteria| is_met(criteria, seen, attributes);
    selector.include.as_ref().is_none_or(is_met) && !selector.exclude.as_ref().is_some_and(is_met)
}

fn is_met(criteria: &Criteria, seen: Seen<'_>, attributes: &[KeyValue]) -> bool {
    let matches = |texts: &Option<Texts>, text: &str| {
        texts.as_ref().is_none_or(|texts| is_one_of(texts, text))
    };
    let service = find(seen.resource, "service.name");
    let service = service.map_or("<nil-service-name>".into(), |service| text(&service));
    let (scope, version) =
        seen.scope.map_or(("", ""), |scope| (scope.name.as_str(), scope.version.as_str()));
    matches(&criteria.services, &service)
        && criteria.resources.iter().all(|test| has(seen.resource, test))
        && (criteria.libraries.is_empty()
            || criteria
                .libraries
                .iter()
                .any(|test| is_one_of(&test.name, scope) && matches(&test.version, version)))
        && matches(&criteria.names, seen.name)
        && matches(&criteria.span_kinds, kind(seen.kind))
        && matches(&criteria.status_codes, status(seen.status))
        && matches(&criteria.bodies, &seen.body.map_or(String::new(), text))
        && matches(&criteria.severity_texts, seen.severity_text)
        && criteria.severity.is_none_or(|test| match seen.severity {
            0 => test.match_undefined,
            severity => severity >= test.min,
        })
        && criteria.attributes.iter().all(|test| has(attributes, test))
}

fn is_one_of(texts: &Texts, text: &str) -> bool {
    match texts {
        Texts::Strict(texts) => texts.iter().any(|it| it == text),
        Texts::Regexp(patterns) => patterns.iter().any(|it| it.is_match(text.as_bytes())),
        _ => unreachable!(),
    }
}

fn has(attributes: &[KeyValue], test: &AttributeTest) -> bool {
    let Some(value) = find(attributes, &test.key) else { return false };
    match &test.value {
        None => true,
        // The plans that are made up here compare no maps, so the order of keys does not matter.
        Some(ValueTest::Strict(literal)) => proto(literal) == value,
        Some(ValueTest::Regexp(pattern)) => {
            plain(&value).is_some_and(|text| pattern.is_match(text.as_bytes()))
        }
        Some(_) => unreachable!(),
    }
}

fn kind(kind: i32) -> &'static str {
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    SpanKind::try_from(kind).map_or("", |kind| kind.as_str_name())
}

fn status(code: i32) -> &'static str {
    use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
    StatusCode::try_from(code).map_or("", |code| code.as_str_name())
}

/// Applies the rules for one target. False if it is dropped.
fn apply_to(
    rules: &[RuleModel],
    target: Target,
    seen: impl for<'s> Fn(&'s [KeyValue]) -> Seen<'s>,
    attributes: &mut Vec<KeyValue>,
) -> bool {
    for rule in rules.iter().filter(|rule| rule.target == target) {
        let is_selected = is_selected(&rule.selector, seen(attributes), attributes);
        match &rule.actions {
            Some(actions) if is_selected => {
                actions.iter().for_each(|action| action.run(attributes));
            }
            None if !is_selected => return false,
            _ => {}
        }
    }
    true
}

fn apply_to_resource(rules: &[RuleModel], resource: &mut Option<Resource>) -> bool {
    let mut edited = resource.clone().unwrap_or_default();
    let stays = apply_to(
        rules,
        Target::Resource,
        |resource| Seen { resource, ..Seen::default() },
        &mut edited.attributes,
    );
    if resource.is_some() || !edited.attributes.is_empty() {
        *resource = Some(edited);
    }
    stays
}

fn apply_to_scope(
    rules: &[RuleModel],
    resource: &[KeyValue],
    scope: &mut Option<InstrumentationScope>,
) -> bool {
    let mut edited = scope.clone().unwrap_or_default();
    let before = edited.clone();
    let mut attributes = std::mem::take(&mut edited.attributes);
    let mut stays = true;
    for rule in rules.iter().filter(|rule| rule.target == Target::Scope) {
        let seen = Seen { resource, scope: Some(&before), ..Seen::default() };
        match (&rule.actions, is_selected(&rule.selector, seen, &[])) {
            (Some(actions), true) => {
                actions.iter().for_each(|action| action.run(&mut attributes));
            }
            (None, false) => {
                stays = false;
                break;
            }
            _ => {}
        }
    }
    edited.attributes = attributes;
    if scope.is_some() || !edited.attributes.is_empty() {
        *scope = Some(edited);
    }
    stays
}

/// A request, edited.
pub(crate) trait Model: std::fmt::Debug {
    fn apply(&mut self, rules: &[RuleModel]);
    fn items(&self) -> usize;
    /// An attribute without a value and one with an empty value are the same.
    fn fill_values(&mut self);
}

/// Whether what had `before` records and now has `after` goes.
fn is_emptied(before: usize, after: usize) -> bool {
    before > 0 && after == 0
}

macro_rules! model {
    ($request:ty, $resources:ident, $scopes:ident, $records:ident, $record:path, $items:expr) => {
        impl Model for $request {
            fn apply(&mut self, rules: &[RuleModel]) {
                self.$resources.retain_mut(|group| {
                    let count = |group: &[_]| group.iter().map(|it: &_| records(it)).sum::<usize>();
                    fn records<T: Records>(scope: &T) -> usize {
                        scope.records()
                    }
                    let before = count(&group.$scopes);
                    if !apply_to_resource(rules, &mut group.resource) {
                        return false;
                    }
                    let resource =
                        group.resource.as_ref().map(|it| it.attributes.clone()).unwrap_or_default();
                    group.$scopes.retain_mut(|inner| {
                        let before = inner.$records.len();
                        if !apply_to_scope(rules, &resource, &mut inner.scope) {
                            return false;
                        }
                        let scope = inner.scope.as_ref();
                        inner.$records.retain_mut(|it| $record(rules, &resource, scope, it));
                        !is_emptied(before, inner.$records.len())
                    });
                    !is_emptied(before, count(&group.$scopes))
                });
            }

            fn items(&self) -> usize {
                let scopes = self.$resources.iter().flat_map(|it| &it.$scopes);
                scopes.flat_map(|it| &it.$records).map($items).sum()
            }

            fn fill_values(&mut self) {
                for group in &mut self.$resources {
                    group.resource.iter_mut().for_each(|it| fill(&mut it.attributes));
                    for scope in &mut group.$scopes {
                        scope.scope.iter_mut().for_each(|it| fill(&mut it.attributes));
                        scope.$records.iter_mut().for_each(|it| {
                            each_list(it, &mut |list| {
                                fill(list);
                                true
                            })
                        });
                    }
                }
            }
        }
    };
}

trait Records {
    fn records(&self) -> usize;
}

impl Records for opentelemetry_proto::tonic::trace::v1::ScopeSpans {
    fn records(&self) -> usize {
        self.spans.len()
    }
}

impl Records for opentelemetry_proto::tonic::logs::v1::ScopeLogs {
    fn records(&self) -> usize {
        self.log_records.len()
    }
}

impl Records for opentelemetry_proto::tonic::metrics::v1::ScopeMetrics {
    fn records(&self) -> usize {
        self.metrics.len()
    }
}

fn fill(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        attribute.value.get_or_insert_default();
    }
}

/// The lists of attributes of a record's items; those for which false comes back go with their item.
trait Lists {
    fn each(&mut self, f: &mut dyn FnMut(&mut Vec<KeyValue>) -> bool);
}

fn each_list<T: Lists>(record: &mut T, f: &mut dyn FnMut(&mut Vec<KeyValue>) -> bool) {
    record.each(f);
}

impl Lists for opentelemetry_proto::tonic::trace::v1::Span {
    fn each(&mut self, f: &mut dyn FnMut(&mut Vec<KeyValue>) -> bool) {
        f(&mut self.attributes);
    }
}

impl Lists for opentelemetry_proto::tonic::logs::v1::LogRecord {
    fn each(&mut self, f: &mut dyn FnMut(&mut Vec<KeyValue>) -> bool) {
        f(&mut self.attributes);
    }
}

impl Lists for Metric {
    fn each(&mut self, f: &mut dyn FnMut(&mut Vec<KeyValue>) -> bool) {
        match &mut self.data {
            None => {}
            Some(Data::Gauge(it)) => it.data_points.retain_mut(|it| f(&mut it.attributes)),
            Some(Data::Sum(it)) => it.data_points.retain_mut(|it| f(&mut it.attributes)),
            Some(Data::Histogram(it)) => it.data_points.retain_mut(|it| f(&mut it.attributes)),
            Some(Data::ExponentialHistogram(it)) => {
                it.data_points.retain_mut(|it| f(&mut it.attributes));
            }
            Some(Data::Summary(it)) => it.data_points.retain_mut(|it| f(&mut it.attributes)),
        }
    }
}

fn points(metric: &Metric) -> usize {
    let mut count = 0;
    each_list(&mut metric.clone(), &mut |_| {
        count += 1;
        true
    });
    count
}

fn span(
    rules: &[RuleModel],
    resource: &[KeyValue],
    scope: Option<&InstrumentationScope>,
    span: &mut opentelemetry_proto::tonic::trace::v1::Span,
) -> bool {
    let (name, kind) = (span.name.as_str(), span.kind);
    let status = span.status.as_ref().map_or(0, |status| status.code);
    let seen = |_: &[KeyValue]| Seen { resource, scope, name, kind, status, ..Seen::default() };
    apply_shared(rules, seen, &mut span.attributes)
}

fn log(
    rules: &[RuleModel],
    resource: &[KeyValue],
    scope: Option<&InstrumentationScope>,
    log: &mut opentelemetry_proto::tonic::logs::v1::LogRecord,
) -> bool {
    let (severity, severity_text, body) =
        (log.severity_number, log.severity_text.as_str(), log.body.as_ref());
    let seen =
        |_: &[KeyValue]| Seen { resource, scope, severity, severity_text, body, ..Seen::default() };
    apply_shared(rules, seen, &mut log.attributes)
}

fn metric(
    rules: &[RuleModel],
    resource: &[KeyValue],
    scope: Option<&InstrumentationScope>,
    metric: &mut Metric,
) -> bool {
    let name = metric.name.clone();
    let seen = Seen { resource, scope, name: &name, ..Seen::default() };
    for rule in rules.iter().filter(|rule| rule.target == Target::Metric) {
        if !is_selected(&rule.selector, seen, &[]) {
            return false;
        }
    }
    let before = points(metric);
    each_list(metric, &mut |attributes| apply_shared(rules, |_| seen, attributes));
    !is_emptied(before, points(metric))
}

fn apply_shared<'s>(
    rules: &[RuleModel],
    seen: impl Fn(&[KeyValue]) -> Seen<'s>,
    attributes: &mut Vec<KeyValue>,
) -> bool {
    for rule in rules.iter().filter(|rule| rule.target == Target::Item) {
        let is_selected = is_selected(&rule.selector, seen(attributes), attributes);
        match &rule.actions {
            Some(actions) if is_selected => {
                actions.iter().for_each(|action| action.run(attributes));
            }
            None if !is_selected => return false,
            _ => {}
        }
    }
    true
}

model!(ExportTraceServiceRequest, resource_spans, scope_spans, spans, span, |_| 1);
model!(ExportLogsServiceRequest, resource_logs, scope_logs, log_records, log, |_| 1);
model!(ExportMetricsServiceRequest, resource_metrics, scope_metrics, metrics, metric, points);
