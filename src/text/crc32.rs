//! CRC-32 as zip, gzip and PNG have it: against files that were damaged, not against people.

use crc::{CRC_32_ISO_HDLC, Crc};

/// By a table, which asks the processor nothing: what it can do is answered by the host on a virtual machine, and takes
/// longer there than all of a cached answer's checksums.
pub(crate) static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
