//! How long a whole call may take.

use std::time::Duration;

use super::Settings;
use crate::os::deadline::LimitSetting;
use crate::os::environment::Environment;
use crate::text::user_error::{Kind, UserError};

/// The time limit where neither environment nor settings have one, but for the kubelet's plugin.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

const VARIABLE: &str = LimitSetting::Variable.name();

/// `ECR_LOGIN_TIMEOUT`, else the settings' `timeout` (where they could be read), else `default`.
///
/// # Errors
/// The variable is no positive number of seconds.
pub(crate) fn call_timeout(
    environment: &Environment,
    settings: Option<&Settings>,
    default: Duration,
) -> Result<Duration, UserError> {
    let Some(text) = environment.var_os(VARIABLE) else {
        return Ok(settings.and_then(|settings| settings.timeout).unwrap_or(default));
    };
    let seconds = text.to_str().and_then(|text| text.trim().parse().ok()).and_then(super::timeout);
    seconds.ok_or_else(|| {
        let what = format!("{VARIABLE} is no positive number of seconds: {:?}", text.to_string_lossy());
        UserError::new(Kind::Settings, what).hint(format!("set it to a number such as 10, or unset {VARIABLE}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn with(text: &str) -> Result<Duration, UserError> {
        call_timeout(&Environment::of([(VARIABLE, text)]), None, TEN)
    }

    #[test]
    fn the_variable_wins_over_the_settings_and_they_over_the_default() {
        let settings = Settings { timeout: Some(Duration::from_secs(7)), ..Settings::default() };
        let environment = Environment::of([(VARIABLE, "2.5")]);
        assert_eq!(call_timeout(&environment, Some(&settings), TEN), Ok(Duration::from_millis(2500)));
        let environment = Environment::of([("X", "")]);
        assert_eq!(call_timeout(&environment, Some(&settings), TEN), Ok(Duration::from_secs(7)));
        assert_eq!(call_timeout(&environment, None, TEN), Ok(TEN));
    }

    #[test]
    fn what_is_no_positive_number_is_an_error_that_names_it() {
        for text in ["0", "-1", "ten", "10s", "NaN", "inf", "1e400", "0.0"] {
            let failure = with(text).unwrap_err().to_string();
            assert!(failure.contains(VARIABLE) && failure.contains(text), "{failure}");
        }
    }
}
