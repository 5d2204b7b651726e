//! Meeting a bitcoind: is it on our network, and what can it do?

use super::{
    bitcoind::Bitcoind,
    wire::{self, ChainInfo, Hex32, NetworkInfo, ZmqPublisher, network_name},
};
use crate::{
    chain::{
        SourceError,
        rpc::{Limits, RpcError, Transport},
    },
    domain::block::{BlockHash, BlockId, Height},
};
use bitcoin::constants::genesis_block;
use serde_json::json;

/// `gettxspendingprevout` exists since Bitcoin Core 24.
const OLDEST_VERSION: u32 = 240_000;

/// `RPC_METHOD_NOT_FOUND`.
const UNKNOWN_METHOD: i64 = -32_601;

/// What a bitcoind is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Its network, by its name in the configuration.
    pub network: &'static str,
    /// Its version as a number: 290100 is 29.1.
    pub version: u32,
    /// Its own name for itself.
    pub subversion: String,
    /// Its best block.
    pub tip: BlockId,
    /// The highest header that it knows.
    pub headers: Height,
    /// Whether it is in its initial block download.
    pub initial_block_download: bool,
    /// The lowest block whose body it has, when it prunes.
    pub prune_height: Option<Height>,
    /// Whether it serves blocks over REST; asked only when configured.
    pub rest: bool,
    /// What it publishes over ZMQ, as topic and address.
    pub zmq: Vec<(String, String)>,
}

impl<T: Transport> Bitcoind<T> {
    /// Asks everything that must hold before the node is used.
    ///
    /// # Errors
    /// `Permanent` for another network or too old a version.
    pub(super) async fn probe(&self, want_rest: bool) -> Result<Capabilities, SourceError> {
        let info: ChainInfo = self
            .call("getblockchaininfo", json!([]), Limits::ANSWER)
            .await?;
        self.check_network(&info.chain)?;
        self.check_genesis().await?;
        let NetworkInfo {
            version,
            subversion,
        } = self
            .call("getnetworkinfo", json!([]), Limits::ANSWER)
            .await?;
        if version < OLDEST_VERSION {
            return Err(SourceError::Permanent(format!(
                "{} is of version {version}; Bitcoin Core 24 (240000) or later is needed",
                self.client
            )));
        }
        let hash = BlockHash(info.bestblockhash.0);
        let height = Height(info.blocks);
        Ok(Capabilities {
            network: network_name(self.network),
            version,
            subversion: self.client.showable(&subversion),
            tip: BlockId { height, hash },
            headers: Height(info.headers),
            initial_block_download: info.initialblockdownload,
            prune_height: info.pruneheight.filter(|_| info.pruned).map(Height),
            rest: want_rest && self.has_rest().await?,
            zmq: self.zmq().await?,
        })
    }

    /// Refuses a node that says it is on another network.
    pub(super) fn check_network(&self, chain: &str) -> Result<(), SourceError> {
        let found = wire::network_of(chain);
        if found == Some(self.network) {
            return Ok(());
        }
        Err(SourceError::Permanent(format!(
            "{} is on {}, but {} is configured",
            self.client,
            found.map_or("an unknown network", network_name),
            network_name(self.network)
        )))
    }

    fn genesis(&self) -> BlockHash {
        wire::block_hash(genesis_block(self.network).block_hash())
    }

    async fn check_genesis(&self) -> Result<(), SourceError> {
        let Hex32(found) = self
            .call("getblockhash", json!([0]), Limits::ANSWER)
            .await?;
        let (found, expected) = (BlockHash(found), self.genesis());
        if found == expected {
            return Ok(());
        }
        Err(SourceError::Permanent(format!(
            "{} begins with block {found}, but {} begins with {expected}",
            self.client,
            network_name(self.network)
        )))
    }

    /// Whether REST answers with the header that we know.
    async fn has_rest(&self) -> Result<bool, SourceError> {
        let genesis = self.genesis();
        let path = format!("/rest/headers/1/{genesis}.bin");
        match self.client.get("rest_headers", path, Limits::ANSWER).await {
            Ok(header) => {
                let height = Height(0);
                let hash = genesis;
                let id = BlockId { height, hash };
                Ok(super::verify::header(&header, id, self.network).is_ok())
            }
            Err(RpcError::Node { .. }) => Ok(false),
            Err(error) => Err(self.explain("rest_headers", &error)),
        }
    }

    /// Its publishers; none when it was built without ZMQ.
    async fn zmq(&self) -> Result<Vec<(String, String)>, SourceError> {
        let method = "getzmqnotifications";
        let answer: Result<Vec<ZmqPublisher>, RpcError> =
            self.client.call(method, json!([]), Limits::ANSWER).await;
        match answer {
            Ok(publishers) => Ok(publishers
                .into_iter()
                .map(|publisher| (publisher.topic, publisher.address))
                .collect()),
            Err(error) if error.code() == Some(UNKNOWN_METHOD) => Ok(Vec::new()),
            Err(error) => Err(self.explain(method, &error)),
        }
    }
}
