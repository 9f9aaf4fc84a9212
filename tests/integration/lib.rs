//! Nothing: the test target is all there is to this crate.
