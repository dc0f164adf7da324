//! The reference of the metrics, written from the catalogue.

use std::fmt::Write;

use crate::{
    catalogue::CATALOGUE,
    metric::{Kind, Label, Metric, Provenance, Values},
};

const INTRODUCTION: &str = "\
# Metrics

<!-- Generated from the catalogue in crates/metrics by `cargo xtask metrics-docs`. Do not edit. -->

`GET /metrics/` and `GET /metrics` answer in the Prometheus text format 0.0.4. Every series whose labels are \
known in advance exists from the first scrape, counters at zero.

## Guarantees

- A counter of components counts the events that this process committed since it started: a change that was \
rolled back is not counted, and a batch of a hundred counts as a hundred. The counters of all replicas sum \
to the events in the log.
- A scrape that starts after a write was answered includes that write.
- One scrape is one consistent snapshot: `inventory_components_total` is the number of rows in the database \
at exactly the event up to which the counters count. With one process, `created - deleted` is always the \
change of the gauge.
- The gauge is only set from the database, so it includes rows that were inserted by hand.
- A scrape waits for the database and for its own events for at most 250 ms, and for at most 0.8 of \
`X-Prometheus-Scrape-Timeout-Seconds`. When the database does not answer in that time, the scrape still \
answers 200 with the counters, `inventory_collector_success{collector=\"database\"}` is 0, and the values \
that are read from the database are `NaN`. When the database answers but the events do not arrive in time, \
`inventory_metrics_barrier_timeouts_total` increases and the gauge of components is `NaN`, because no number \
would agree with the counters.

## How to aggregate over replicas

- Values that a process counts, observes or reads about itself: `sum`, for counters after `rate`. \
`sum without (instance) (rate(inventory_components_created_total[5m]))`
- Values that are read from the database are the same for all replicas: `max`. \
`max without (instance) (inventory_components_total)`

## The one name that `promtool check metrics` rejects

`inventory_components_total` is a gauge, and `promtool` accepts `_total` only for counters. Dashboards and \
alerts of the previous system use the name, so it stays; `inventory_components` is the same number under a \
name that `promtool` accepts. There are no other findings.

## Reference
";

/// `docs/metrics.md`.
pub fn documentation() -> String {
    let mut page = INTRODUCTION.to_owned();
    for metric in CATALOGUE {
        // Writing to a string does not fail.
        let _infallible = section(&mut page, metric);
    }
    page
}

fn section(page: &mut String, metric: &Metric) -> std::fmt::Result {
    let Metric { name, kind, unit, labels, provenance, help } = metric;
    writeln!(page, "\n### `{name}`\n\n{}\n", sentence(help))?;
    writeln!(page, "- {}, in {}", kind.as_str(), if *unit == "1" { "no unit" } else { unit })?;
    writeln!(page, "- {}", provenance.as_str())?;
    if *provenance == Provenance::Database {
        writeln!(page, "- the same for all replicas")?;
    }
    if let Kind::Histogram(buckets) = kind {
        let bounds: Vec<_> = buckets.iter().map(|bound| format!("`{bound}`")).collect();
        writeln!(page, "- buckets up to {}", bounds.join(", "))?;
    }
    for Label { name, values } in *labels {
        match values {
            Values::OneOf(known) => {
                let known = known.iter().map(|value| match *value {
                    "" => "absent".to_owned(),
                    value => format!("`{value}`"),
                });
                let known: Vec<_> = known.collect();
                writeln!(page, "- label `{name}`: {}", known.join(", "))?;
            }
            Values::Described(words) => writeln!(page, "- label `{name}`: {words}")?,
        }
    }
    Ok(())
}

fn sentence(help: &str) -> String {
    if help.ends_with('.') { help.to_owned() } else { format!("{help}.") }
}
