//! Plans as anybody might write them, from a seed.

use otlp_collector::edit::{
    AttributeTest, ConvertedType, Criteria, LibraryTest, Literal, Pattern, Selector, SeverityTest,
    Target, Texts, ValueTest,
};
use otlp_core::Signal;

use super::model::{ActionModel, RuleModel, SourceModel};

/// Keys that requests and plans have in common.
pub(crate) const KEYS: [&str; 8] =
    ["a", "b", "service.name", "user.id", "", "url", "x", "a.long.key.of.an.attribute"];

/// Texts that requests and plans have in common.
pub(crate) const TEXTS: [&str; 8] =
    ["a", "shop", "GET /a/1", "12", "-1.5e3", "", "true", "SPAN_KIND_SERVER"];

const PATTERNS: [&str; 7] = ["^a", "o", "^$", "[0-9]", "s.*e", ".", "SPAN_KIND_(SERVER|CLIENT)"];

const GROUPS: [&str; 4] =
    ["^(?P<a>.)(?P<new>.*)$", "(?P<url>/.*)?(?P<x>[0-9])", "(?P<b>b)|(?P<user>.+)", "(?P<none>~)"];

/// A generator without a dependency, so that the fuzz target has one too.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, one_in: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(one_in) == 0).then(|| make(self))
    }

    fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..=self.below(most)).map(|_| make(self)).collect()
    }

    pub(crate) fn rules(&mut self, signal: Signal) -> Vec<RuleModel> {
        self.list(3, |it| it.rule(signal))
    }

    fn rule(&mut self, signal: Signal) -> RuleModel {
        let targets = [Target::Item, Target::Item, Target::Resource, Target::Scope, Target::Metric];
        let of_signal = if signal == Signal::Metrics { 5 } else { 4 };
        let target = self.pick(&targets[..of_signal]);
        let is_edit = target != Target::Metric && self.below(3) > 0;
        RuleModel {
            target,
            selector: Selector {
                include: self.maybe(3, |it| it.criteria(signal, target)),
                exclude: self.maybe(4, |it| it.criteria(signal, target)),
            },
            actions: is_edit.then(|| self.list(3, Self::action)),
        }
    }

    fn criteria(&mut self, signal: Signal, target: Target) -> Criteria {
        let mut criteria = Criteria {
            services: self.maybe(4, Self::texts),
            resources: self.tests(4),
            ..Criteria::default()
        };
        if target != Target::Resource {
            criteria.libraries = self.maybe(4, |it| it.list(1, Self::library)).unwrap_or_default();
        }
        if matches!(target, Target::Item | Target::Metric) {
            criteria.names = self.maybe(4, Self::texts);
        }
        if target == Target::Item {
            criteria.attributes = self.tests(3);
            if signal == Signal::Traces {
                criteria.span_kinds = self.maybe(4, Self::texts);
                criteria.status_codes = self.maybe(6, Self::texts);
            }
            if signal == Signal::Logs {
                criteria.names = None;
                criteria.bodies = self.maybe(4, Self::texts);
                criteria.severity_texts = self.maybe(4, Self::texts);
                criteria.severity = self.maybe(4, |it| SeverityTest {
                    min: it.pick(&[0, 1, 9, 24]),
                    match_undefined: it.below(2) == 0,
                });
            }
        }
        criteria
    }

    fn tests(&mut self, one_in: usize) -> Vec<AttributeTest> {
        self.maybe(one_in, |it| it.list(1, Self::test)).unwrap_or_default()
    }

    fn test(&mut self) -> AttributeTest {
        let value = match self.below(3) {
            0 => None,
            1 => Some(ValueTest::Regexp(self.pattern())),
            _ => Some(ValueTest::Strict(self.literal())),
        };
        AttributeTest { key: self.key(), value }
    }

    fn library(&mut self) -> LibraryTest {
        LibraryTest { name: self.texts(), version: self.maybe(3, Self::texts) }
    }

    fn texts(&mut self) -> Texts {
        match self.below(2) {
            0 => Texts::Strict(self.list(3, |it| it.pick(&TEXTS).to_owned())),
            _ => Texts::Regexp(self.list(2, Self::pattern)),
        }
    }

    fn pattern(&mut self) -> Pattern {
        Pattern::new(self.pick(&PATTERNS)).unwrap()
    }

    fn key(&mut self) -> String {
        self.pick(&KEYS).to_owned()
    }

    fn literal(&mut self) -> Literal {
        match self.below(8) {
            0 => Literal::Bool(true),
            1 => Literal::Int(self.pick(&[0, 1, -1, 12, i64::MAX])),
            2 => Literal::Double(self.pick(&[0.0, 1.5, 1e300])),
            3 => Literal::Array(vec![Literal::Int(1), Literal::from("a")]),
            4 => Literal::from("long".repeat(self.below(80)).as_str()),
            _ => Literal::from(self.pick(&TEXTS)),
        }
    }

    fn source(&mut self) -> SourceModel {
        match self.below(3) {
            0 => SourceModel::Attribute(self.key(), self.maybe(2, Self::literal)),
            _ => SourceModel::Value(self.literal()),
        }
    }

    fn action(&mut self) -> ActionModel {
        match self.below(10) {
            0 | 1 => ActionModel::Insert(self.key(), self.source()),
            2 => ActionModel::Update(self.key(), self.source()),
            3 | 4 => ActionModel::Upsert(self.key(), self.source()),
            5 => ActionModel::Delete(self.key()),
            6 => match self.below(2) {
                0 => ActionModel::DeleteMatching(self.pattern()),
                _ => ActionModel::HashMatching(self.pattern()),
            },
            7 => ActionModel::Hash(self.key()),
            8 => ActionModel::Extract(self.key(), Pattern::new(self.pick(&GROUPS)).unwrap()),
            _ => {
                let types = [ConvertedType::Int, ConvertedType::Double, ConvertedType::String];
                ActionModel::Convert(self.key(), self.pick(&types))
            }
        }
    }
}
