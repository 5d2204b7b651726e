//! What an operator is shown of the node that is asked first.

use super::EthereumSource;
use crate::chain::{
    SourceError,
    ethereum::{
        endpoint::{Endpoint, Tracer},
        token,
    },
    rpc::Transport,
};

impl<T: Transport> EthereumSource<T> {
    /// By what the node that is asked first tells of calls inside transactions. The source must be connected.
    #[must_use]
    pub fn trace_method(&self) -> &'static str {
        let leader = self.endpoints.leader();
        leader.map_or(Tracer::Missing, Endpoint::tracer).as_str()
    }

    /// Whether the node that is asked first still has the state of old blocks. The source must be connected.
    pub async fn is_archive(&self) -> bool {
        match self.endpoints.leader().zip(self.tip) {
            Some((leader, tip)) => leader.is_archive(tip).await,
            None => false,
        }
    }

    /// Which way receipts come from the node that is asked first. The source must be connected.
    #[must_use]
    pub fn receipts_method(&self) -> String {
        let leader = self.endpoints.leader();
        leader.map_or_else(String::new, Endpoint::receipts_method)
    }

    /// Each configured token that the node asked first does not have as configured, with what is
    /// wrong. The source must be connected.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn token_problems(&self) -> Result<Vec<String>, SourceError> {
        match self.endpoints.leader() {
            Some(endpoint) => token::problems(endpoint, &self.tokens).await,
            None => Ok(Vec::new()),
        }
    }
}
