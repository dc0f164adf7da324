//! What is asked.

use super::{
    contestant::Contestant,
    script::{self, BATCH},
};
use crate::service::Running;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Workload {
    GetOne,
    List,
    CreateAlone,
    CreateTogether,
    Bulk,
    MetricsFew,
    MetricsMany,
}

impl Workload {
    pub(super) const ALL: [Self; 7] = [
        Self::GetOne,
        Self::List,
        Self::CreateAlone,
        Self::CreateTogether,
        Self::Bulk,
        Self::MetricsFew,
        Self::MetricsMany,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GetOne => "get-one",
            Self::List => "list-50",
            Self::CreateAlone => "create-1",
            Self::CreateTogether => "create-64",
            Self::Bulk => "bulk-1000",
            Self::MetricsFew => "metrics-1k",
            Self::MetricsMany => "metrics-1m",
        }
    }

    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// What it is, for the reader of the report.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::GetOne => "GET one, 8 connections",
            Self::List => "list of 50, 8 connections",
            Self::CreateAlone => "create, 1 connection",
            Self::CreateTogether => "create, 64 connections",
            Self::Bulk => "bulk create of 1,000, 1 connection",
            Self::MetricsFew => "`/metrics/`, 1 k rows, 8 connections",
            Self::MetricsMany => "`/metrics/`, 1 M rows, 8 connections",
        }
    }

    pub(super) fn connections(self) -> u32 {
        match self {
            Self::CreateAlone | Self::Bulk => 1,
            Self::CreateTogether => 64,
            Self::GetOne | Self::List | Self::MetricsFew | Self::MetricsMany => 8,
        }
    }

    /// How many components a request creates, where it does.
    pub(super) fn creates(self) -> Option<u64> {
        match self {
            Self::CreateAlone | Self::CreateTogether => Some(1),
            Self::Bulk => Some(BATCH),
            Self::GetOne | Self::List | Self::MetricsFew | Self::MetricsMany => None,
        }
    }

    /// Whether it is asked of a million rows, instead of a thousand.
    pub(super) fn of_many_rows(self) -> bool {
        self == Self::MetricsMany
    }

    /// The script of wrk for it.
    pub(super) fn script(self, contestant: Contestant, server: &Running) -> anyhow::Result<String> {
        Ok(match self {
            Self::GetOne => script::get(&script::all_components(contestant, server)?),
            Self::List => script::get(&script::all_pages(contestant, server)?.paths),
            Self::CreateAlone | Self::CreateTogether => script::create(),
            Self::Bulk => script::bulk(),
            Self::MetricsFew | Self::MetricsMany => script::get(&["/metrics/".to_owned()]),
        })
    }
}
