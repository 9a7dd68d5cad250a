mod clock;
mod digest;
mod failure;
mod fingerprint;
mod keyring;
mod layout;
mod secret;
mod term;
pub mod cli {
    pub fn main() -> std::process::ExitCode {
        todo!()
    }
}
