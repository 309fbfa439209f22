#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod admission;
mod clock;
pub mod config;
pub mod consumer;
pub mod edit;
pub mod fan_out;
pub mod processors;
pub mod receivers;
pub mod sending;
