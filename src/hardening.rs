//! What the process does before anything else, so that no secret leaves it by a side door.

/// Why we do not run at all.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The environment, which says which programs run and where secrets go, is the caller's; the rights are not.
    #[error(
        "refuses to run with rights that its caller lacks; take the setuid or setgid bit off the file (chmod ug-s)"
    )]
    OtherRights,
}

/// No core dump, and nobody else's rights.
///
/// # Errors
/// The binary was given the setuid or setgid bit.
pub fn harden() -> Result<(), Refused> {
    #[cfg(unix)]
    {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        no_core_dump();
        if getuid() != geteuid() || getgid() != getegid() {
            return Err(Refused::OtherRights);
        }
    }
    Ok(())
}

/// One call for both: no core dump, not even one that goes to a pipe (for which a limit of 0 does not hold, core(5)),
/// and no other process of the same user may attach or read our memory (ptrace(2)). A child that executes another
/// program starts afresh. Should the system refuse, we run all the same: the answer matters more.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn no_core_dump() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// The limit is inherited by children: they have secrets of ours too.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn no_core_dump() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
