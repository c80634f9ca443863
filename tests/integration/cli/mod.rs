//! The commands that people type, and what the program logs.

mod doctor;
mod help;
mod logs;
mod status;
mod warm;
