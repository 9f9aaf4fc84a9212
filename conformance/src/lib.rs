//! The storage contract of Larder as tests.
