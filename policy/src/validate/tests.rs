//! The tables of validation.
