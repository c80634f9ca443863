//! Our clock against the server's.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::CallTarget;
use crate::os::clock;
use crate::text::user_error::{Kind, UserError};

/// AWS takes signatures within five minutes of its own clock (IAM user guide, "Signature Version 4"); the SDK
/// begins to correct at four.
const TOLERATED: i64 = 4 * 60;

/// By how many seconds our clock is ahead of the answer's `Date` header.
pub(crate) fn skew(raw: &HttpResponse) -> Option<i64> {
    let date = DateTime::from_str(raw.headers().get("date")?, Format::HttpDate).ok()?;
    clock::seconds().checked_sub(date.secs())
}

/// Whether a signature would be refused for it.
pub(crate) fn too_far(skew: i64) -> bool {
    skew.abs() > TOLERATED
}

/// Whether a wrong clock may be behind this error code.
pub(super) fn blamed(code: &str) -> bool {
    matches!(
        code,
        "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestTimeTooSkewed"
            | "RequestExpired"
            | "RequestInTheFuture"
            | "AuthFailure"
            | "AccessDeniedException"
            | "IncompleteSignature"
    )
}

/// Whether AWS itself says that the signature's time is not its own, wherever our clock stands by now: it may have been
/// set since the request was signed.
pub(super) fn is_said(code: &str, message: Option<&str>) -> bool {
    let of_time = matches!(code, "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture");
    let says = |start| message.is_some_and(|message| message.starts_with(start));
    of_time || (blamed(code) && (says("Signature expired") || says("Signature not yet current")))
}

/// What to say where it is only known that the signature's time was not AWS's.
pub(super) fn has_moved(asked: &CallTarget<'_>) -> UserError {
    let what = format!("{} refused the signature: this machine's clock was not AWS's when it was made", asked.service);
    UserError::new(Kind::Credentials, what)
        .hint("try again; if it goes on, set the clock (timedatectl set-ntp true; for a VM or WSL: restart it)")
}

/// What to say of it.
pub(super) fn failure(asked: &CallTarget<'_>, skew: i64) -> UserError {
    let direction = if skew > 0 { "ahead of" } else { "behind" };
    let what =
        format!("{} refused the signature: this machine's clock is {} {direction} AWS's", asked.service, span(skew));
    UserError::new(Kind::Credentials, what)
        .hint("set the clock (timedatectl set-ntp true; for a VM or WSL: restart it)")
}

fn span(skew: i64) -> String {
    let seconds = skew.unsigned_abs();
    match (seconds / 86_400, seconds / 3_600, seconds / 60) {
        (days, _, _) if days >= 2 => format!("{days} days"),
        (_, hours, _) if hours >= 2 => format!("{hours} hours"),
        (_, _, minutes) => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_says_it_by_a_code_or_by_its_message() {
        let expired = Some("Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z (.. - 5 min.)");
        assert!(is_said("InvalidSignatureException", expired));
        assert!(is_said("SignatureDoesNotMatch", Some("Signature not yet current: A is still later than B")));
        assert!(is_said("RequestTimeTooSkewed", None));
        assert!(!is_said("InvalidSignatureException", Some("The request signature we calculated does not match")));
        assert!(!is_said("ValidationException", expired));
    }

    #[test]
    fn a_span_is_reported_in_the_unit_that_people_use() {
        assert_eq!(span(-600), "10 minutes");
        assert_eq!(span(7_300), "2 hours");
        assert_eq!(span(86_400 * 3), "3 days");
    }
}
