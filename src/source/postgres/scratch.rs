//! scratch: stub.
use super::{Address, clients::Clients};
use crate::{
    failure::{Explain, Kind},
    proof::Confinement,
    source::Sandbox,
};
use std::path::PathBuf;
pub struct ScratchSettings {
    pub scratch_dir: PathBuf,
    pub disk_bytes_max: Option<u64>,
    pub jobs: usize,
    pub sandbox: Sandbox,
}
pub struct ScratchServer {
    clients: Clients,
}
pub enum ScratchEnd {
    Died { status: String, said: String },
    DiskFull { used_bytes: u64 },
}
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error("stub")]
    Stub,
}
impl Explain for ScratchError {
    fn kind(&self) -> Kind {
        Kind::Failed
    }
}
impl ScratchServer {
    pub async fn start(_: &ScratchSettings, _: u32, _: &[PathBuf], _: u64) -> Result<Self, ScratchError> {
        Err(ScratchError::Stub)
    }
    pub fn address(&self, _database: &str) -> Address {
        unreachable!()
    }
    pub fn version(&self) -> &str {
        ""
    }
    pub fn clients(&self) -> &Clients {
        &self.clients
    }
    pub fn confinement(&self) -> Confinement {
        Confinement::None
    }
    pub async fn watch(&self) -> ScratchEnd {
        std::future::pending().await
    }
    pub async fn stop(self) -> Result<(), ScratchError> {
        Ok(())
    }
}
