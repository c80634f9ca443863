//! What Windows is asked that no safe function of the standard library's asks it for: standard handles that children do
//! not inherit, job objects by which a child and all that it starts end with us, and access lists of a directory.

// The functions of windows-sys are C functions; each block says what its call needs.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};

use ecr_login::os::private_directory::{self, PrivateDirectory};
use ecr_login::os::subprocess::{self, ChildGuard};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ALREADY_EXISTS, ERROR_SUCCESS, HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, LocalFree,
    SetHandleInformation,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW,
    SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, EqualSid, GetAce, GetTokenInformation,
    IsWellKnownSid, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY,
    TOKEN_USER, TokenUser, WELL_KNOWN_SID_TYPE, WinBuiltinAdministratorsSid, WinCreatorOwnerRightsSid,
    WinCreatorOwnerSid, WinLocalSystemSid,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Console::{GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_SET_QUOTA, PROCESS_TERMINATE,
};

use super::Started;

/// Prepares the process; to be called before anything else.
pub(crate) fn prepare() -> Started {
    let missing = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE].map(|stream| {
        // SAFETY: it takes a number and returns a handle that stays the system's.
        let handle = unsafe { GetStdHandle(stream) };
        if handle.is_null() || handle == INVALID_HANDLE_VALUE {
            return true;
        }
        // The client that reads our answer waits until nobody has its pipe open any more: the process that refreshes a
        // token in the background must not. Where a child is to have one of them, the standard library says so.
        // SAFETY: the handle is the process's own.
        unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
        false
    });
    subprocess::guard_children(ChildGuard { tie, begun, ended, kill });
    private_directory::provide(PrivateDirectory { create, accessible_to });
    Started { stdout_was_closed: missing[1], stream_is_missing: false, more_rights: false }
}

// --- children ------------------------------------------------------------------------------------------------------

/// A job object, as long as its child runs.
struct Job(i32, HANDLE);

// SAFETY: a handle of the kernel's is good in every thread.
unsafe impl Send for Job {}

static JOBS: Mutex<Vec<Job>> = Mutex::new(Vec::new());

fn jobs() -> std::sync::MutexGuard<'static, Vec<Job>> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child is put into its job when it has begun.
fn tie(_command: &mut Command) {}

/// The system ends everything in a job when the last handle of it is closed, as ours are when we end, however we do.
fn begun(child: i32) {
    let number = child.unsigned_abs();
    if number == 0 {
        return;
    }
    // SAFETY: plain calls; every handle that they give is checked, and closed or kept.
    unsafe {
        let job = CreateJobObjectW(null(), null());
        if job.is_null() {
            return;
        }
        limit(job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE);
        let process = OpenProcess(PROCESS_SET_QUOTA | PROCESS_TERMINATE, 0, number);
        let assigned = !process.is_null() && AssignProcessToJobObject(job, process) != 0;
        if !process.is_null() {
            CloseHandle(process);
        }
        if assigned {
            jobs().push(Job(child, job));
        } else {
            CloseHandle(job);
        }
    }
}

/// What a child that ended by itself has left running (an agent, say) goes on.
fn ended(child: i32) {
    let mut jobs = jobs();
    if let Some(place) = jobs.iter().position(|job| job.0 == child) {
        let Job(_, job) = jobs.swap_remove(place);
        limit(job, 0);
        // SAFETY: the handle was ours alone, and nobody has it any more.
        unsafe { CloseHandle(job) };
    }
}

fn kill(child: i32) {
    if let Some(Job(_, job)) = jobs().iter().find(|job| job.0.unsigned_abs() == child.unsigned_abs()) {
        // SAFETY: the handle is open as long as it is in the list.
        unsafe { TerminateJobObject(*job, 1) };
    }
}

fn limit(job: HANDLE, flags: JOB_OBJECT_LIMIT) {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = flags;
    // SAFETY: the structure is of the kind and the size that are named.
    unsafe {
        SetInformationJobObject(
            job,
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        );
    }
}

// --- directories ----------------------------------------------------------------------------------------------------

/// Nothing is inherited from the directory above; the owner, the system and administrators have all rights here and in
/// everything below (<https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format>).
const PRIVATE: &str = "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// Memory of the system's that is to be given back.
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: it came from a function that says so, and is used no more. Nothing is done for a null pointer.
        unsafe { LocalFree(self.0) };
    }
}

fn wide(text: &std::ffi::OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}

/// Makes a directory that only its owner, the system and administrators may use; one that is there stays as it is.
fn create(path: &Path) -> io::Result<()> {
    let (sddl, path) = (wide(PRIVATE.as_ref()), wide(path.as_os_str()));
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: both texts end in a zero and outlive the calls; the descriptor outlives the second.
    unsafe {
        let made = ConvertStringSecurityDescriptorToSecurityDescriptorW(
            sddl.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        );
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        let descriptor = Local(descriptor);
        let attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor.0,
            bInheritHandle: 0,
        };
        if CreateDirectoryW(path.as_ptr(), &raw const attributes) != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(ERROR_ALREADY_EXISTS as i32) { Ok(()) } else { Err(error) }
    }
}

/// Who, besides us, the system and administrators, owns the directory or has rights there: an identifier or a word.
fn accessible_to(path: &Path) -> io::Result<Option<String>> {
    /// The types of entries that take rights away, or only say what is written down (winnt.h).
    const GIVES_NOTHING: [u8; 7] = [1, 2, 6, 8, 10, 12, 17];
    let path = wide(path.as_os_str());
    let (mut owner, mut list, mut descriptor): (PSID, *mut ACL, PSECURITY_DESCRIPTOR) =
        (null_mut(), null_mut(), null_mut());
    // SAFETY: the path ends in a zero; what is filled points into the descriptor, which is given back at the end.
    let done = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
            &raw mut owner,
            null_mut(),
            &raw mut list,
            null_mut(),
            &raw mut descriptor,
        )
    };
    if done != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(done as i32));
    }
    let _descriptor = Local(descriptor);
    let we = ourselves()?;
    // SAFETY: `we` holds what the system put there for this question, aligned for it.
    let we = unsafe { (*we.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    // SAFETY: identifiers and the list are valid as long as the descriptor is.
    unsafe {
        if !owner.is_null() && !is_trusted(owner, we) {
            return Ok(Some(name(owner)));
        }
        if list.is_null() {
            return Ok(Some("everybody".to_owned()));
        }
        for number in 0..u32::from((*list).AceCount) {
            let mut entry: *mut c_void = null_mut();
            if GetAce(list, number, &raw mut entry) == 0 {
                return Err(io::Error::last_os_error());
            }
            let header = entry.cast::<ACE_HEADER>();
            if GIVES_NOTHING.contains(&(*header).AceType) {
                continue;
            }
            // Kinds that we do not know give somebody something.
            if (*header).AceType != 0 {
                return Ok(Some("somebody by a conditional entry".to_owned()));
            }
            let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
            let whose: PSID = (&raw mut (*entry).SidStart).cast();
            if (*entry).Mask != 0 && !is_trusted(whose, we) {
                return Ok(Some(name(whose)));
            }
        }
    }
    Ok(None)
}

/// The user that this process runs as, in words of the system's (`TOKEN_USER`).
fn ourselves() -> io::Result<Vec<u64>> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the buffer is as long as the call is told, and aligned for the structure.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return Err(io::Error::last_os_error());
        }
        let mut buffer = vec![0_u64; 64];
        let mut filled = 0;
        let length = (buffer.len() * size_of::<u64>()) as u32;
        let done = GetTokenInformation(token, TokenUser, buffer.as_mut_ptr().cast(), length, &raw mut filled);
        let error = io::Error::last_os_error();
        CloseHandle(token);
        if done == 0 { Err(error) } else { Ok(buffer) }
    }
}

/// SAFETY: both are valid identifiers.
unsafe fn is_trusted(whose: PSID, we: PSID) -> bool {
    const TRUSTED: [WELL_KNOWN_SID_TYPE; 4] =
        [WinLocalSystemSid, WinBuiltinAdministratorsSid, WinCreatorOwnerSid, WinCreatorOwnerRightsSid];
    // SAFETY: the caller's.
    unsafe { EqualSid(whose, we) != 0 || TRUSTED.iter().any(|known| IsWellKnownSid(whose, *known) != 0) }
}

/// An identifier as text: `S-1-1-0` is everybody.
///
/// SAFETY: it is a valid identifier.
unsafe fn name(whose: PSID) -> String {
    let mut text = null_mut();
    // SAFETY: the text that the system makes ends in a zero, and is given back.
    unsafe {
        if ConvertSidToStringSidW(whose, &raw mut text) == 0 {
            return "somebody else".to_owned();
        }
        let length = (0..).take_while(|place| *text.add(*place) != 0).count();
        let name = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        name
    }
}
