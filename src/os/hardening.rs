//! What the process does before anything else, so that no secret leaves it by a side door.

/// Why we do not run at all. The environment, which says which programs run and where secrets go, is the caller's; the
/// rights are not.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The setuid or setgid bit of the file gave another user or group.
    #[error(
        "refuses to run with rights that its caller lacks; take the setuid or setgid bit off the file (chmod ug-s)"
    )]
    OtherRights,
    /// The file's capabilities gave some that the caller has not.
    #[error("refuses to run with capabilities that its caller lacks; take them off the file (setcap -r)")]
    Capabilities,
}

/// No core dump, and no rights of another user. `more_rights` is the system's word that executing the file gave some
/// (`AT_SECURE`, getauxval(3)).
///
/// # Errors
/// The binary was given the setuid or setgid bit, or capabilities.
pub fn harden(more_rights: bool) -> Result<(), Refused> {
    #[cfg(unix)]
    {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        no_core_dump();
        if getuid() != geteuid() || getgid() != getegid() {
            return Err(Refused::OtherRights);
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if more_rights && has_capabilities_of_the_file() {
        return Err(Refused::Capabilities);
    }
    let _ = more_rights;
    Ok(())
}

/// `AT_SECURE` alone will not do: a security module sets it too, where a service manager starts us in another domain.
/// What the caller may hand on to any program is in the ambient set (capabilities(7)); what is not came with the file.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_capabilities_of_the_file() -> bool {
    use rustix::thread::{CapabilitySet, capabilities, capability_is_in_ambient_set};
    // Root has all of them by being root.
    if rustix::process::geteuid().is_root() {
        return false;
    }
    // What cannot be asked is not given the benefit of the doubt.
    let Ok(sets) = capabilities(None) else { return true };
    let permitted = sets.permitted.bits();
    let each = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(permitted & (1 << number)));
    each.filter(|one| !one.is_empty()).any(|one| !capability_is_in_ambient_set(one).unwrap_or(false))
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
