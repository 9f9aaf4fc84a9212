//! Histories of many operations on related names, against the model.

use super::check;
use super::differential::service_as_over_memory;
use crate::bench::Bench;
use crate::check::{Check, Outcome};
use crate::ops::Mix;
use crate::stateful::explore;

pub(super) const CHECKS: &[Check] = &[
    check(
        "M-01",
        "Any history of one handle in one namespace is answered as the model answers it",
        "sentences 1 to 8",
        one_namespace,
    ),
    check(
        "M-02",
        "Interleaved histories of several namespaces with related names behave like separate models",
        "sentence 7; module key",
        several_namespaces,
    ),
    check(
        "M-03",
        "Any history of two handles on one store is answered as if there were one",
        "sentence 2",
        two_handles,
    ),
    check(
        "M-04",
        "A history with restarts loses what it may lose by the store's promise, and nothing else",
        "sentence 10",
        restarts,
    ),
    check(
        "M-05",
        "The service over the store and over memory give the same answers, step by step, and keep the same files",
        "sentences 1 to 8; module cache",
        service_as_over_memory,
    ),
];

fn mix(bench: &Bench) -> Mix {
    Mix {
        namespaces: (0, 1),
        handles: 1,
        reopen: false,
        longest: 40,
        key_bytes: bench.limits.key_bytes,
        value_bytes: bench.limits.value_bytes,
    }
}

fn one_namespace(bench: &Bench) -> Outcome {
    explore(bench, mix(bench), 64)
}

fn several_namespaces(bench: &Bench) -> Outcome {
    explore(bench, Mix { namespaces: (1, 5), longest: 50, ..mix(bench) }, 64)
}

fn two_handles(bench: &Bench) -> Outcome {
    explore(bench, Mix { namespaces: (0, 2), handles: 2, ..mix(bench) }, 48)
}

fn restarts(bench: &Bench) -> Outcome {
    explore(bench, Mix { namespaces: (0, 2), handles: 2, reopen: true, ..mix(bench) }, 48)
}
