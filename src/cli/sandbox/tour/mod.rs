//! The guided tour.
use super::running::Sandbox;
use crate::cli::{failure::Failure, screen::Screen};
pub(super) fn guide(_sandbox: &Sandbox, _screen: &mut Screen) -> Result<(), Failure> {
    Ok(())
}
