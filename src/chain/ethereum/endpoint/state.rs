//! What an endpoint tells of the state that a block left: what its contracts moved, and balances. Nothing
//! binds it to the block's hash, and most nodes keep it for some 128 blocks only.
//!
//! Source: geth, built-in tracers; `OpenEthereum` wiki, JSONRPC trace module; Ethereum execution APIs, `eth_getBalance`; EIP-1898.

use super::{Answer, Endpoint, INVALID_PARAMS, NOT_OFFERED, prefixed, quantity};
use crate::{
    chain::{
        SourceError,
        ethereum::trace::Format,
        rpc::{Call, Limits, RpcError, Transport},
    },
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::Destination,
    },
};
use alloy_primitives::U256;
use serde_json::json;

/// How nodes say that a block is not there: Geth, EIP-1474's "resource not found", Nethermind.
const NO_SUCH_BLOCK: [i64; 3] = [-32000, -32001, -32603];
/// How long a node may take to trace a block before it gives up: as long as it is waited for.
const TRACE_TIMEOUT: &str = "60s";
/// No node that drops old state still has what so many blocks below its tip left: they keep 128, or some thousand.
const OLD_BLOCKS: u32 = 20_000;
/// A block that does not exist, by its hash and by its height.
const NOWHERE: BlockId = BlockId {
    height: Height(u32::MAX),
    hash: BlockHash([0; 32]),
};

/// What an endpoint tells of calls inside transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chain::ethereum) enum Tracer {
    /// It was not reached yet.
    Unknown,
    /// Nothing.
    Missing,
    /// Nothing, but what accounts have after a block with a given hash.
    Balances,
    /// All of them, in this way.
    Tells(Format),
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chain::ethereum) enum Probed {
    /// This.
    As(Tracer),
    /// It said neither that it traces nor that it does not; if it does not, this.
    Vague(Tracer),
}

impl Tracer {
    /// How it tells them, if it does.
    pub(in crate::chain::ethereum) const fn format(self) -> Option<Format> {
        match self {
            Self::Tells(format) => Some(format),
            Self::Unknown | Self::Missing | Self::Balances => None,
        }
    }

    /// In which ways it would tell them better, the best first.
    pub(in crate::chain::ethereum) const fn better(self) -> &'static [Format] {
        match self {
            Self::Unknown | Self::Missing | Self::Balances => &[Format::Calls, Format::Flat],
            Self::Tells(Format::Flat) => &[Format::Calls],
            Self::Tells(Format::Calls) => &[],
        }
    }

    /// In which ways it may tell them that refuses to tell them in this one.
    const fn lesser(self) -> &'static [Format] {
        match self {
            Self::Unknown | Self::Missing | Self::Balances => &[Format::Calls, Format::Flat],
            Self::Tells(Format::Calls) => &[Format::Flat],
            Self::Tells(Format::Flat) => &[],
        }
    }

    /// The method that is used, for people.
    pub(in crate::chain::ethereum) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Missing => "none",
            Self::Balances => "balance",
            Self::Tells(format) => format.as_str(),
        }
    }
}

impl<T: Transport> Endpoint<T> {
    /// What it was found to tell of calls inside transactions.
    pub(in crate::chain::ethereum) const fn tracer(&self) -> Tracer {
        self.tracer
    }

    /// What it was found to tell by [`probe_tracer`](Self::probe_tracer).
    pub(in crate::chain::ethereum) const fn found(&mut self, tracer: Tracer) {
        self.tracer = tracer;
    }

    /// Asked of a block that does not exist, so that nothing is traced: who has the method says that there
    /// is none. The callTracer comes first, since it goes by the block's hash. One that says neither is as
    /// unknown as before. One that was found to tell it in a way which it then refused is asked for lesser ways.
    ///
    /// Some say that tracing is switched off as others say that there is no such block: where that `convinces` not,
    /// real blocks must show it.
    ///
    /// # Errors
    /// When it does not answer.
    pub(in crate::chain::ethereum) async fn probe_tracer(
        &self,
        convinces: bool,
    ) -> Result<Probed, SourceError> {
        let mut is_sure = true;
        for format in self.tracer.lesser() {
            match self.trace(*format, NOWHERE, Limits::ANSWER, |_| ()).await {
                Ok(()) => return Ok(Probed::As(Tracer::Tells(*format))),
                Err(RpcError::Node { code, .. }) if NO_SUCH_BLOCK.contains(&code) => {
                    if convinces {
                        return Ok(Probed::As(Tracer::Tells(*format)));
                    }
                }
                Err(RpcError::Node { code, .. }) if NOT_OFFERED.contains(&code) => {}
                // It takes our credentials for everything else.
                Err(RpcError::Unauthorized(_)) => {}
                // It may be asked too much just now, or say no in words of its own.
                Err(RpcError::Node { .. }) => is_sure = false,
                Err(error) => return Err(self.error(format.method(), &error)),
            }
        }
        let otherwise = self.probe_balances().await?;
        Ok(if is_sure {
            Probed::As(otherwise)
        } else {
            Probed::Vague(otherwise)
        })
    }

    /// Whether it tells what accounts have; as before where it says neither.
    async fn probe_balances(&self) -> Result<Tracer, SourceError> {
        let latest = self.latest().await?;
        let nobody: Vec<Destination> = Destination::new(&[0; 20]).into_iter().collect();
        let calls: Vec<Call> = nobody
            .iter()
            .map(|nobody| balance_of(nobody, latest.id.hash))
            .collect();
        let answers = self.client.batch(&calls).await;
        let answer = answers
            .map_err(|error| self.error("eth_getBalance", &error))?
            .pop();
        Ok(match answer {
            Some(Ok(_)) => Tracer::Balances,
            Some(Err(RpcError::Node { code, .. })) if is_no(code) => Tracer::Missing,
            Some(Err(_)) | None => self.tracer,
        })
    }

    /// In which way it tells them now, that told them in a lesser way or not at all: a better one must tell of
    /// this real block.
    pub(in crate::chain::ethereum) async fn retry_tracer(&self, block: BlockId) -> Tracer {
        for format in self.tracer.better() {
            let is_told = |json: &str| json.starts_with('[');
            let told = self.trace(*format, block, Limits::TRACE, is_told).await;
            if told == Ok(true) {
                return Tracer::Tells(*format);
            }
        }
        match self.tracer {
            Tracer::Missing => self.probe_balances().await.unwrap_or(self.tracer),
            Tracer::Unknown | Tracer::Balances | Tracer::Tells(_) => self.tracer,
        }
    }

    /// The call frames of a block's transactions, as they are read from JSON.
    pub(in crate::chain::ethereum) async fn traces<R>(
        &self,
        format: Format,
        block: &BlockRef,
        read: impl FnOnce(&str) -> R,
    ) -> Result<R, RpcError> {
        self.trace(format, block.id, Limits::TRACE, read).await
    }

    async fn trace<R>(
        &self,
        format: Format,
        block: BlockId,
        limits: Limits,
        read: impl FnOnce(&str) -> R,
    ) -> Result<R, RpcError> {
        let params = match format {
            Format::Calls => json!([
                prefixed(block.hash),
                {"tracer": "callTracer", "timeout": TRACE_TIMEOUT},
            ]),
            // Most nodes take a height alone.
            Format::Flat => json!([quantity(block.height)]),
        };
        let method = format.method();
        self.client
            .call_and_read(method, params, limits, read)
            .await
    }

    /// What these accounts had after a block and after the one below it (EIP-1898), where it can tell: nodes
    /// keep the state of the last blocks only.
    ///
    /// # Errors
    /// When it does not answer.
    pub(in crate::chain::ethereum) async fn balances(
        &self,
        block: &BlockRef,
        accounts: &[Destination],
    ) -> Result<Vec<Option<(U256, U256)>>, SourceError> {
        let both = |account| {
            [
                balance_of(account, block.id.hash),
                balance_of(account, block.parent),
            ]
        };
        let calls: Vec<Call> = accounts.iter().flat_map(both).collect();
        let balances = self.read_balances(self.balance_answers(&calls).await?);
        let (pairs, _) = balances.as_chunks::<2>();
        Ok(pairs
            .iter()
            .map(|[after, before]| after.zip(*before))
            .collect())
    }

    /// What these accounts had after the block with this hash, where it can tell.
    ///
    /// # Errors
    /// When it does not answer; `Permanent` when it refuses to tell of any.
    pub(in crate::chain::ethereum) async fn balances_at(
        &self,
        block: BlockHash,
        accounts: &[Destination],
    ) -> Result<Vec<Option<U256>>, SourceError> {
        let calls = accounts.iter().map(|account| balance_of(account, block));
        let answers = self.balance_answers(&calls.collect::<Vec<Call>>()).await?;
        let refusal = |answer: &Answer| match answer {
            Err(RpcError::Node { .. }) => answer.as_ref().err().map(ToString::to_string),
            Ok(_) | Err(_) => None,
        };
        let refusals: Option<Vec<String>> = answers.iter().map(refusal).collect();
        if let Some(refusal) = refusals.and_then(|refusals| refusals.into_iter().next()) {
            return Err(self.permanent(&format!("eth_getBalance: {refusal}")));
        }
        Ok(self.read_balances(answers))
    }

    async fn balance_answers(&self, calls: &[Call]) -> Result<Vec<Answer>, SourceError> {
        let answers = self.client.batch(calls).await;
        answers.map_err(|error| self.error("eth_getBalance", &error))
    }

    fn read_balances(&self, answers: Vec<Answer>) -> Vec<Option<U256>> {
        let read = |answer| self.read::<U256>("eth_getBalance", answer).ok();
        answers.into_iter().map(read).collect()
    }

    /// Whether it still has the state that a block far below this one left, as archives do; no on a chain that has
    /// none so old.
    pub(in crate::chain::ethereum) async fn is_archive(&self, tip: BlockId) -> bool {
        let Some(old) = tip.height.0.checked_sub(OLD_BLOCKS) else {
            return false;
        };
        let params = json!([format!("0x{:040x}", 0), quantity(Height(old))]);
        let told = self.batch([Call::new("eth_getBalance", params)]).await;
        told.is_ok_and(|[balance]| self.read::<U256>("eth_getBalance", balance).is_ok())
    }

    async fn latest(&self) -> Result<BlockRef, SourceError> {
        let by_tag = Call::new("eth_getBlockByNumber", json!(["latest", false]));
        let [latest] = self.batch([by_tag]).await?;
        self.header("latest", latest)
    }
}

/// Whether an answer says that balances are not told by a block's hash.
fn is_no(code: i64) -> bool {
    code == INVALID_PARAMS || NOT_OFFERED.contains(&code)
}

fn balance_of(account: &Destination, block: BlockHash) -> Call {
    let account = format!("0x{account:?}");
    let params = json!([account, {"blockHash": prefixed(block)}]);
    Call::new("eth_getBalance", params)
}
