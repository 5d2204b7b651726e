//! Families of one metric with its labels, and the list that declares them.
//!
//! The only place that speaks the prometheus crate's dialect of options and label values.

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts};
use std::time::Duration;

/// Counts that only grow.
pub(super) type Counter = IntCounterVec;
/// Numbers that go up and down.
pub(super) type Gauge = IntGaugeVec;
/// Distributions over at most eight buckets.
pub(super) type Histogram = HistogramVec;

/// A kind of family that the list can declare.
pub(super) trait Family: Collector + Clone {
    /// Makes the family; `bounds` are the upper ends of a histogram's buckets.
    fn declare(
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> Result<Self, prometheus::Error>;
}

impl Family for Counter {
    fn declare(
        name: &str,
        help: &str,
        labels: &[&str],
        _: &[f64],
    ) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Family for Gauge {
    fn declare(
        name: &str,
        help: &str,
        labels: &[&str],
        _: &[f64],
    ) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Family for Histogram {
    fn declare(
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> Result<Self, prometheus::Error> {
        Self::new(
            HistogramOpts::new(name, help).buckets(bounds.to_vec()),
            labels,
        )
    }
}

/// Reaching one metric of a family by its label values.
pub(super) trait Labelled<M> {
    /// Changes the metric with these labels; nothing happens when their number is wrong, which
    /// the test that renders every metric would show.
    fn at(&self, labels: &[&str], change: impl FnOnce(&M));

    /// Makes the metric with these labels appear.
    fn touch(&self, labels: &[&str]) {
        self.at(labels, |_| {});
    }
}

impl<B: MetricVecBuilder> Labelled<B::M> for MetricVec<B> {
    fn at(&self, labels: &[&str], change: impl FnOnce(&B::M)) {
        if let Ok(metric) = self.get_metric_with_label_values(labels) {
            change(&metric);
        }
    }
}

/// Counts `count` more.
pub(super) fn add(counter: &Counter, labels: &[&str], count: u64) {
    counter.at(labels, |metric| metric.inc_by(count));
}

/// Sets a gauge.
pub(super) fn set(gauge: &Gauge, labels: &[&str], value: impl Into<i64>) {
    gauge.at(labels, |metric| metric.set(value.into()));
}

/// Notes a duration in seconds.
pub(super) fn observe(histogram: &Histogram, labels: &[&str], took: Duration) {
    histogram.at(labels, |metric| metric.observe(took.as_secs_f64()));
}

/// Declares a struct `Metrics` with one field per line; the doc comment is the help text.
macro_rules! family_list {
    ($(#[doc = $help:literal] $name:ident: $kind:ident[$($label:literal),*] $(in $bounds:ident)?;)+) => {
        /// Every metric of the process.
        #[derive(Debug, Clone)]
        pub struct Metrics {
            own: prometheus::Registry,
            process: prometheus::Registry,
            $(#[doc = $help] $name: $kind,)+
        }

        impl Metrics {
            fn declare(prefix: &str) -> Result<Self, prometheus::Error> {
                let own = Registry::new_custom(Some(prefix.to_owned()), None)?;
                $(
                    let bounds: &[&[f64]] = &[$($bounds)?];
                    let $name = <$kind as $crate::metrics::family::Family>::declare(
                        stringify!($name),
                        $help.trim(),
                        &[$($label),*],
                        &bounds.concat(),
                    )?;
                    own.register(Box::new($name.clone()))?;
                )+
                Ok(Self { own, process: Registry::new(), $($name,)+ })
            }
        }
    };
}
pub(super) use family_list;
