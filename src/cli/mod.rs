//! The commands that people type, one file each. None of them costs the protocol actions anything.
