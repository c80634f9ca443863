//! What a person who signs in is told, on stderr.

use super::browser::{self, Browser};
use crate::aws::sign_in::Guide;
use crate::cli::terminal;
use crate::text::printable::one_line;

/// Opens pages in the browser, if there is one, and names them in any case.
pub(super) struct TerminalGuide {
    /// What opens pages; `None` to only name them.
    pub(super) browser: Option<Browser>,
}

impl TerminalGuide {
    /// Whether the browser was started for the page.
    fn is_opened(&self, url: &str) -> bool {
        browser::is_page(url) && self.browser.as_ref().is_some_and(|browser| browser.open(url).is_ok())
    }
}

impl Guide for TerminalGuide {
    fn open_page(&self, url: &str) {
        let lead = if self.is_opened(url) {
            "The sign-in page opens in your browser. If it does not, open it yourself on this machine:"
        } else {
            "Open the sign-in page in a browser on this machine:"
        };
        terminal::error(&format!("{lead}\n\n{}\n\n", one_line(url)));
    }

    fn enter_code(&self, url: &str, user_code: &str, complete_url: Option<&str>) {
        let lead = if self.is_opened(complete_url.unwrap_or(url)) {
            "The sign-in page opens in your browser. If it does not, open it yourself on any machine:"
        } else {
            "Open the sign-in page in a browser on any machine:"
        };
        let mut text =
            format!("{lead}\n\n{}\n\nand see that it shows this code:\n\n{}\n", one_line(url), one_line(user_code));
        if let Some(complete_url) = complete_url {
            text.push_str(&format!("\nThis page has it filled in:\n\n{}\n", one_line(complete_url)));
        }
        terminal::error(&format!("{text}\n"));
    }
}
