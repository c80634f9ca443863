//! The settings file.

mod documented_settings;
#[cfg(unix)]
mod home;
mod settings_file;
