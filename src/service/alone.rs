//! alone: one daemon for each `state_dir`: two would record the same work.

use super::ServiceError;
use std::{fs::File, path::Path};

/// The kernel gives it up with the process.
pub struct Alone {
    #[expect(dead_code, reason = "its life is its work")]
    file: File,
}

impl Alone {
    pub fn in_folder(state_dir: &Path) -> Result<Self, ServiceError> {
        let path = state_dir.join("daemon.lock");
        let unusable = |source| ServiceError::StateDir { path: path.clone(), source };
        let file = File::create(&path).map_err(unusable)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ServiceError::Another(state_dir.to_owned())),
            Err(error) => Err(unusable(error.into())),
        }
    }
}
