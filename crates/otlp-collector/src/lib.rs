#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod admission;
mod clock;
pub mod component;
pub mod config;
pub mod connectors;
pub mod consumer;
pub mod edit;
pub mod engine;
pub mod exporters;
pub mod extensions;
pub mod fan_out;
mod gathering;
mod memory;
mod pages;
pub mod pipeline;
pub mod processors;
pub mod receivers;
pub mod registry;
mod seldom;
pub mod sending;
pub mod telemetry;
mod under_way;
