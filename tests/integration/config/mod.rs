//! The settings file.

mod documented_settings;
mod settings_file;
